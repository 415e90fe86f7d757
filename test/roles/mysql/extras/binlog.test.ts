import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gtidReader } from "../../../../src/roles/mysql/engine/mariadb-tail.ts";
import { findTail as find } from "../../../../src/roles/mysql/extras/binlog.ts";

const findTail = (files: string[], theirs: string) => find(files, theirs, gtidReader);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-binlog-"));
});
afterAll(() => rm(directory, { recursive: true }));

type Id = [server: number, sequence: number];

function event(type: number, server: number, body: Buffer): Buffer {
  const header = Buffer.alloc(19);
  header.writeUInt32LE(1_700_000_000);
  header[4] = type;
  header.writeUInt32LE(server, 5);
  header.writeUInt32LE(19 + body.length, 9);
  return Buffer.concat([header, body]);
}

function gtid([server, sequence]: Id): Buffer {
  const body = Buffer.alloc(19);
  body.writeBigUInt64LE(BigInt(sequence));
  // A write of some bytes follows, as in a real log.
  return Buffer.concat([event(162, server, body), event(2, server, Buffer.alloc(5000))]);
}

function list(...ids: Id[]): Buffer {
  const body = Buffer.alloc(4 + ids.length * 16);
  body.writeUInt32LE(ids.length);
  for (const [i, [server, sequence]] of ids.entries()) {
    body.writeUInt32LE(server, 8 + i * 16);
    body.writeBigUInt64LE(BigInt(sequence), 12 + i * 16);
  }
  return event(163, 1, body);
}

const start = Buffer.concat([Buffer.from([0xfe, 0x62, 0x69, 0x6e]), event(15, 1, Buffer.alloc(230))]);

async function log(name: string, ...parts: Buffer[]): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, Buffer.concat([start, ...parts]));
  return path;
}

test("the tail begins at the first transaction that the other lacks, in whichever file", async () => {
  const files = [
    await log("a.1", list(), gtid([1, 1]), gtid([1, 2])),
    await log("a.2", list([1, 2]), gtid([1, 3]), gtid([1, 4])),
    await log("a.3", list([1, 4]), gtid([1, 5])),
  ];
  expect(await findTail(files, "0-1-3,0-2-9")).toEqual({
    files: files.slice(1),
    offset: start.length + list([1, 2]).length + gtid([1, 3]).length,
    at: 1_700_000_000,
    gtids: ["0-1-4", "0-1-5"],
  });
  expect(await findTail(files, "0-1-5")).toBeUndefined();
  expect((await findTail(files, ""))?.gtids).toHaveLength(5);
  // A server that the other knows nothing of.
  expect((await findTail(files, "0-2-100"))?.gtids).toHaveLength(5);
});

test("older files than needed are not opened", async () => {
  const last = await log("b.2", list([1, 4]), gtid([1, 5]));
  expect((await findTail([join(directory, "gone"), last], "0-1-4"))?.gtids).toEqual(["0-1-5"]);
});

test("a file that breaks off within an event ends before it; a file that is no log holds nothing", async () => {
  const broken = await log("c.1", list(), gtid([1, 1]), gtid([1, 2]).subarray(0, 36));
  expect((await findTail([broken], ""))?.gtids).toEqual(["0-1-1"]);
  const other = join(directory, "c.2");
  await writeFile(other, "no log at all");
  expect(await findTail([other], "")).toBeUndefined();
});

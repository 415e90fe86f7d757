import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  cutTail,
  findCut,
  NotCuttable,
  mysqlTail,
  unfinishedLog,
} from "../../../src/roles/mysql/engine/mysql-tail.ts";

const own = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const other = "4e11fa47-71ca-11e1-9e33-c80aa9429562";
const query = 2;
const gtidEvent = 33;
const previous = 35;
const tagged = 42;

const data = await mkdtemp(join(tmpdir(), "chime-tail-"));
afterAll(() => rm(data, { recursive: true }));

function event(type: number, body: Uint8Array, flags = 0): Buffer {
  const header = Buffer.alloc(19);
  header[4] = type;
  header.writeUInt32LE(19 + body.length, 9);
  header.writeUInt16LE(flags, 17);
  return Buffer.concat([header, body]);
}

/** One transaction: its GTID event, and one with what it does. */
function transaction(number: number, uuid = own): Buffer {
  const id = Buffer.alloc(8);
  id.writeBigInt64LE(BigInt(number));
  const gtid = Buffer.concat([
    Buffer.from([1]),
    Buffer.from(uuid.replaceAll("-", ""), "hex"),
    id,
    Buffer.alloc(30),
  ]);
  return Buffer.concat([event(gtidEvent, gtid), event(query, Buffer.alloc(50 + number))]);
}

/** Writes a data directory with one binary log; returns where each of its parts begins. */
async function log(parts: readonly Buffer[], flags = 1): Promise<{ path: string; starts: number[] }> {
  const all = [Buffer.from([0xfe, 0x62, 0x69, 0x6e]), event(15, Buffer.alloc(100), flags), ...parts];
  const path = join(data, "chime-bin.000002");
  await writeFile(path, Buffer.concat(all));
  await writeFile(join(data, "chime-bin.index"), "./chime-bin.000001\n./chime-bin.000002\n");
  await writeFile(join(data, "auto.cnf"), `[auto]\nserver-uuid=${own}\n`);
  let at = 0;
  return { path, starts: [...all.map((part) => (at += part.length) - part.length), at].slice(2) };
}

/** What was in the log before: of each server, the numbers from 1 to the last. */
function before(...held: [uuid: string, last: number][]): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  };
  const sets = held.map(([uuid, last]) =>
    Buffer.concat([Buffer.from(uuid.replaceAll("-", ""), "hex"), number(1), number(1), number(last + 1)]),
  );
  return event(previous, Buffer.concat([number(held.length), ...sets, Buffer.alloc(4)]));
}

test("what is saved begins with the first transaction that the other server lacks, in whichever file", async () => {
  const first = join(data, "chime-bin.000001");
  const head = [Buffer.from([0xfe, 0x62, 0x69, 0x6e]), event(15, Buffer.alloc(100))];
  await writeFile(
    first,
    Buffer.concat([...head, before(), transaction(1), transaction(2), transaction(1, other)]),
  );
  const { path, starts } = await log([before([own, 2], [other, 1]), transaction(2, other), transaction(3)]);
  expect((await mysqlTail.find(data, `${own}:1-2,${other}:1-2`))?.gtids).toEqual([`${own}:3`]);
  const tail = await mysqlTail.find(data, `${own}:1,${other}:1-2`);
  expect(tail).toMatchObject({ files: [first, path], gtids: [`${own}:2`, `${own}:3`] });
  expect(await mysqlTail.find(data, `${own}:1-3,${other}:1-2`)).toBeUndefined();
  // Where the last file begins with all that the other has, no older one is opened.
  await rm(first);
  expect(await mysqlTail.find(data, `${own}:1-2,${other}:1`)).toMatchObject({
    files: [path],
    offset: starts[1],
    gtids: [`${other}:2`, `${own}:3`],
  });
  await expect(mysqlTail.find(data, `${own}:1`)).rejects.toThrow("ENOENT");
});

test("the dump is of these transactions alone", () => {
  const tail = { files: ["/a", "/b"], offset: 157, at: 0, gtids: [`${own}:3`, `${own}:4`, `${other}:7`] };
  expect(mysqlTail.dump("/usr/bin/mysqlbinlog", tail)).toEqual([
    "/usr/bin/mysqlbinlog",
    "--no-defaults",
    "--verbose",
    "--base64-output=decode-rows",
    "--start-position=157",
    `--include-gtids=${own}:3-4,${other}:7`,
    "/a",
    "/b",
  ]);
});

test("what has a number that cannot be told is not passed over in silence", async () => {
  await log([transaction(1), event(tagged, Buffer.alloc(60))]);
  await expect(mysqlTail.find(data, `${own}:1`)).rejects.toMatchObject({ code: "mysql.extras_unsaved" });
});

test("a killed server's last log is found; one that was closed in order, or none, is nothing to cut", async () => {
  const { path } = await log([transaction(1)]);
  expect(await unfinishedLog(data)).toBe(path);
  await log([transaction(1)], 0);
  expect(await unfinishedLog(data)).toBeUndefined();
  expect(await unfinishedLog(join(data, "nowhere"))).toBeUndefined();
});

test("the tail begins with the first transaction that the other server lacks, and what was before stays", async () => {
  const { path, starts } = await log([transaction(7, other), ...[1, 2, 3, 4].map((n) => transaction(n))]);
  const whole = await readFile(path);
  const tail = await findCut(path, `${own}:1-2,${other}:1-7`);
  expect(tail).toEqual({
    file: path,
    from: starts[3] as number,
    gtids: [`${own}:3`, `${own}:4`],
  });
  if (tail) await cutTail(tail);
  expect(await readFile(path)).toEqual(whole.subarray(0, starts[3]));
  expect(await findCut(path, `${own}:1-2,${other}:1-7`)).toBeUndefined();
});

test("a transaction that breaks off goes, too", async () => {
  const { path, starts } = await log([transaction(1), transaction(2).subarray(0, 90)]);
  expect(await findCut(path, `${own}:1`)).toMatchObject({ from: starts[1], gtids: [`${own}:2`] });
  // Not even its GTID is whole: the server drops that by itself.
  const torn = await log([transaction(1), transaction(2).subarray(0, 30)]);
  expect(await findCut(torn.path, `${own}:1`)).toBeUndefined();
});

test.each<[string, Buffer[], string]>([
  ["another server's", [transaction(1), transaction(1, other)], `${own}:1`],
  ["one that is followed by what the other server has", [transaction(1), transaction(2)], `${own}:2`],
  ["one with a tag", [transaction(1), event(tagged, Buffer.alloc(60))], `${own}:1`],
])("never cut: %s", async (_, parts, theirs) => {
  const { path } = await log(parts);
  await expect(findCut(path, theirs)).rejects.toBeInstanceOf(NotCuttable);
});

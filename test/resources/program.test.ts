import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFile, link, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLedger } from "../../src/plan/ledger.ts";
import { apply, plan } from "../../src/plan/run.ts";
import { notedHash, program, programKind } from "../../src/resources/program.ts";
import { acceptedOf } from "../../src/resources/stamp.ts";
import { elf } from "../host/elf.ts";

let directory: string;
let from: string;
let to: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-program-"));
  [from, to] = [join(directory, "given"), join(directory, "lib/of/program")];
  await writeFile(from, elf("first"));
});
afterEach(() => rm(directory, { recursive: true }));

const ledger = () => openLedger(join(directory, "ledger"));
const attempt = async () => {
  const { failed } = await apply([program({ from, to })], await ledger(), {
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  return failed.map(({ error }) => error);
};
const make = async () => (await attempt()).map(({ code }) => code);
const changes = async () => (await plan([program({ from, to })], await ledger())).map(({ action }) => action);

test("it is copied with its hash, and copied again only when it is another one", async () => {
  expect(await changes()).toEqual(["create"]);
  expect(await make()).toEqual([]);
  expect(await changes()).toEqual([]);
  expect((await stat(to)).mode & 0o7777).toBe(0o755);
  expect(await notedHash(to)).toBe(createHash("sha256").update(elf("first")).digest("hex"));
  await writeFile(from, elf("second program"));
  expect(await changes()).toEqual(["update"]);
  expect(await make()).toEqual([]);
  expect(await readFile(to)).toEqual(elf("second program"));
  expect(await notedHash(to)).toBe(createHash("sha256").update(elf("second program")).digest("hex"));
});

test("one of the same size and another time is another one, unless its bytes are the same", async () => {
  await make();
  await utimes(from, 1, 1);
  expect(await changes()).toEqual([]);
  await writeFile(from, elf("other"));
  await utimes(from, 1, 1);
  expect(await changes()).toEqual(["update"]);
  expect(await make()).toEqual([]);
  // What was changed by hand is put back, though its size is the same.
  await writeFile(to, elf("mixed"));
  expect(await changes()).toEqual(["update"]);
});

test("one that runs is compared, too", async () => {
  await copyFile("/bin/sleep", from);
  expect(await make()).toEqual([]);
  const running = Bun.spawn([to, "60"]);
  try {
    await utimes(from, 1, 1);
    expect(await changes()).toEqual([]);
  } finally {
    running.kill();
    await running.exited;
  }
});

test.each<[string, Buffer, RegExp]>([
  ["empty", Buffer.alloc(0), /is not a program/],
  ["a script", Buffer.from("#!/bin/sh\n"), /is not a program/],
  ["for another machine", elf("x", { machine: 2 }), /another kind of processor/],
  ["cut short", elf("x", { loaded: 4_000 }), /cut short/],
  ["cut short after its header", elf("x").subarray(0, 64), /cut short/],
  [
    "damaged",
    Buffer.concat([elf("x").subarray(0, 32), Buffer.alloc(8, 0xff), elf("x").subarray(40)]),
    /cut short/,
  ],
  ["a part to be linked", Buffer.concat([elf("x").subarray(0, 56), Buffer.alloc(8)]), /is not a program/],
])("one that cannot run here does not take the place of what does: %s", async (_, bytes, why) => {
  await make();
  await writeFile(from, bytes);
  expect(await changes()).toEqual(["update"]);
  expect(await attempt()).toMatchObject([
    { code: "program.unfit", exit: 3, message: expect.stringMatching(why) },
  ]);
  expect(await readFile(to)).toEqual(elf("first"));
  expect(await readdir(join(to, ".."))).toEqual(["program", "program.sha256"]);
});

test("a source that is gone changes nothing; without any there is nothing to begin with", async () => {
  await make();
  await rm(from);
  expect(await changes()).toEqual([]);
  await rm(to);
  expect(await make()).toEqual(["program.missing"]);
});

test("a copy without its hash is made again: it may be half of one", async () => {
  await make();
  await rm(`${to}.sha256`);
  expect(await make()).toEqual([]);
  expect(await notedHash(to)).toBeDefined();
});

test("taken back with the directories that it made", async () => {
  await make();
  await link(to, acceptedOf(to));
  const before = (await ledger()).noted(`program:${to}`);
  await programKind.undo(`program:${to}`, before, { progress: () => undefined });
  expect(await Bun.file(to).exists()).toBe(false);
  expect(stat(join(directory, "lib"))).rejects.toThrow("ENOENT");
  await programKind.undo(`program:${to}`, before, { progress: () => undefined });
});

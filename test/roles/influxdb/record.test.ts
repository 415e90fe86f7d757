import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChimeError } from "../../../src/core/errors.ts";
import { Record } from "../../../src/roles/influxdb/record.ts";

let directory: string;
let nth = 0;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "chime-record-"));
});
afterAll(() => rm(directory, { recursive: true }));
const place = () => join(directory, `${++nth}.json`);

/** A server that was well at 100 s, as its disk has it. */
async function wellAt100(path: string): Promise<Record> {
  const record = await Record.load(path);
  await record.join(90_000, []);
  await record.well(100_000, "run 1");
  return record;
}

test("an outage begins when the server was last seen well, and ends when it is well again", async () => {
  const record = await wellAt100(place());
  await record.well(101_000, "run 1");
  await record.away(record.wellAt, true);
  await record.away(record.wellAt, true);
  expect(record.outages).toEqual([{ from: 101_000, to: null, sure: true }]);
  await record.well(105_000, "run 1");
  expect(record.outages).toEqual([{ from: 101_000, to: 105_000, sure: true }]);
});

test("an agent that was away does not know; another run of the server was away, too", async () => {
  const path = place();
  await wellAt100(path);
  const same = await Record.load(path);
  await same.well(120_000, "run 1");
  await same.well(121_000, "run 1");
  expect(same.outages).toEqual([{ from: 100_000, to: 120_000, sure: false }]);
  const other = await Record.load(path);
  await other.well(150_000, "run 2");
  expect(other.outages).toEqual([
    { from: 100_000, to: 120_000, sure: false },
    { from: 120_000, to: 150_000, sure: true },
  ]);
});

test("a server that starts again between two looks was away", async () => {
  const record = await wellAt100(place());
  await record.well(101_000, "run 2");
  expect(record.outages).toEqual([{ from: 100_000, to: 101_000, sure: true }]);
});

test("while the other node is not heard nobody knows", async () => {
  const record = await wellAt100(place());
  await record.away(101_000, false);
  await record.away(102_000, false);
  await record.well(103_000, "run 1");
  await record.heard(110_000);
  expect(record.outages).toEqual([{ from: 101_000, to: 110_000, sure: false }]);
});

test("what is filled is over; what came to it meanwhile is not", async () => {
  const record = await wellAt100(place());
  await record.away(record.wellAt, true);
  await record.well(105_000, "run 1");
  const [first] = record.outages;
  if (!first) throw new Error("nothing is owed");
  await record.away(104_000, true);
  await record.filled([first]);
  expect(record.outages).toEqual([{ from: 105_000, to: null, sure: true }]);
});

test("all of it is known after a restart; a file that is not understood is nothing", async () => {
  const path = place();
  const record = await wellAt100(path);
  await record.away(record.wellAt, true);
  const again = await Record.load(path);
  expect([again.wasJoined, again.outages]).toEqual([true, [{ from: 100_000, to: null, sure: true }]]);
  await Bun.write(path, "{");
  expect((await Record.load(path)).wasJoined).toBe(false);
});

test("a machine that stood still was away", async () => {
  const record = await wellAt100(place());
  await record.well(101_000, "run 1");
  await record.well(401_000, "run 1");
  expect(record.outages).toEqual([{ from: 101_000, to: 401_000, sure: true }]);
});

test("a clock that was set back while nobody looked: the outage has a beginning and an end, and can be filled", async () => {
  const path = place();
  await wellAt100(path);
  const record = await Record.load(path);
  await record.well(40_000, "run 2");
  expect(record.outages).toEqual([{ from: 40_000, to: 100_000, sure: true }]);
  expect((await Record.load(path)).wellAt).toBe(40_000);
  await record.filled(record.outages);
  expect(record.outages).toEqual([]);
});

test("an outage that ended as it began is filled, too", async () => {
  const record = await wellAt100(place());
  await record.away(100_000, true);
  await record.well(50_000, "run 1");
  expect(record.outages).toEqual([{ from: 100_000, to: 100_000, sure: true }]);
  await record.filled(record.outages);
  expect(record.outages).toEqual([]);
});

test("what the disk does not take counts as long as the agent runs, and is written when there is room", async () => {
  const path = place();
  const record = await wellAt100(path);
  await rm(path);
  await mkdir(path);
  expect(await record.away(100_000, true).catch((error: ChimeError) => error.code)).toMatch(/^file\./);
  expect(record.outages).toEqual([{ from: 100_000, to: null, sure: true }]);
  await rmdir(path);
  await record.well(110_000, "run 1");
  expect((await Record.load(path)).outages).toEqual([{ from: 100_000, to: 110_000, sure: true }]);
});

test("what one bucket lacks is a gap of its own, on the disk too, and is filled for itself", async () => {
  const path = place();
  const record = await wellAt100(path);
  const outage = { from: 100_000, to: 110_000, sure: true };
  const ofBucket = { ...outage, bucket: "raw" };
  await record.add(outage);
  await record.add(ofBucket);
  await record.filled([outage]);
  const again = await Record.load(path);
  expect(again.outages).toEqual([ofBucket]);
  await again.filled([ofBucket]);
  expect(again.outages).toEqual([]);
});

test("where a server is slow for hours those times become one, and nothing else comes to it", async () => {
  const record = await wellAt100(place());
  const outage = { from: 150_000, to: 160_000, sure: true };
  await record.add(outage);
  for (let at = 200_000; at < 500_000; at += 2_000) {
    await record.add({ from: at, to: at + 500, sure: false, hint: "slow" });
  }
  const { outages } = record;
  expect(outages.length).toBeLessThanOrEqual(100);
  expect(outages).toContainEqual(outage);
  expect(outages.filter(({ sure }) => sure)).toEqual([outage]);
  const slow = outages.filter(({ hint }) => hint === "slow");
  expect([slow[0]?.from, slow.at(-1)?.to]).toEqual([200_000, 498_500]);
  await record.filled([outage]);
  expect(record.outages).toEqual(slow);
});

test("a clock's fractions are no part of an outage: what asks for its points knows none", async () => {
  const record = await wellAt100(place());
  await record.away(101_000.75, false);
  expect(record.outages).toEqual([{ from: 101_000, to: null, sure: false }]);
});

test("what is crossed out and what is left of it are one change: at no moment is neither known", async () => {
  const path = place();
  const record = await wellAt100(path);
  const outage = { from: 101_000, to: 161_000, sure: true };
  await record.add(outage);
  const held = [
    { ...outage, bucket: "raw" },
    { from: 158_000, to: 221_000, sure: false },
  ];
  await record.filled([outage], held);
  expect(record.outages).toEqual(held);
  expect((await Record.load(path)).outages).toEqual(held);
});

test("that nobody is beside it is known after a restart; a file that does not say it has somebody", async () => {
  const path = place();
  const record = await wellAt100(path);
  expect(record.isAlone).toBe(false);
  await record.noteAlone(true);
  expect((await Record.load(path)).isAlone).toBe(true);
  const { alone: _, ...older } = (await Bun.file(path).json()) as { alone: boolean };
  await Bun.write(path, JSON.stringify(older));
  const read = await Record.load(path);
  expect([read.isAlone, read.wasJoined]).toEqual([false, true]);
});

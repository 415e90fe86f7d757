import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FillRecord } from "../../../../src/roles/influxdb/gap/record.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-record-"));
afterAll(() => rm(directory, { recursive: true }));

const of = (from: number, to: number, measurement = "cpu") => ({ bucket: "chime", measurement, from, to });

test("what was done is known after a restart, as a whole and in parts, and nothing else", async () => {
  const path = join(directory, "parts.json");
  const record = await FillRecord.load(path);
  await record.add(of(20, 30));
  await record.add(of(10, 20));
  await record.add(of(40, 50));
  await record.add(of(10, 20, "mem"));
  const again = await FillRecord.load(path);
  const known = [of(10, 30), of(15, 25), of(40, 50), of(10, 20, "mem")];
  const unknown = [of(10, 31), of(25, 45), of(30, 40), of(20, 30, "mem"), { ...of(10, 20), bucket: "other" }];
  expect(known.filter((window) => !again.has(window))).toEqual([]);
  expect(unknown.filter((window) => again.has(window))).toEqual([]);
  // Windows that touch are one: a record of thousands of them stays small.
  expect(JSON.parse(await readFile(path, "utf8"))).toHaveLength(3);
  await again.clear();
  expect((await FillRecord.load(path)).has(of(10, 20))).toBe(false);
});

test("a file that is not understood is no record", async () => {
  const path = join(directory, "broken.json");
  for (const text of ["", "[", "{}", '[{"bucket":"chime"}]']) {
    await writeFile(path, text);
    expect((await FillRecord.load(path)).has(of(0, 1))).toBe(false);
  }
});

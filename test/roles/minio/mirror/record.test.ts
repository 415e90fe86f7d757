import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StandingRecord } from "../../../../src/roles/minio/mirror/record.ts";
import { newStanding } from "../../../../src/roles/minio/mirror/standing.ts";

const directory = await mkdtemp(join(tmpdir(), "chime-standing-"));
afterAll(() => rm(directory, { recursive: true }));

test("changes come one after the other, and are there after a restart", async () => {
  const path = join(directory, "kept");
  const record = await StandingRecord.load(path);
  expect(record.standing).toEqual(newStanding);
  const alone = "2026-11-22T01:00:00.000Z";
  await Promise.all([
    record.change(() => ({ run: "first", current: true })),
    record.change(({ run }) => (run === "first" ? { alone } : {})),
  ]);
  const again = await StandingRecord.load(path);
  expect([again.run, again.standing]).toEqual(["first", { ...newStanding, current: true, alone }]);
});

test("what is not understood is nothing: the store is compared with the other one", async () => {
  const path = join(directory, "torn");
  await writeFile(path, '{"current":true');
  expect((await StandingRecord.load(path)).standing).toEqual(newStanding);
});

test("a change that the disk does not take does not count, and stands in nobody's way", async () => {
  const path = join(directory, "gone", "kept");
  const record = await StandingRecord.load(path);
  await writeFile(join(directory, "gone"), "");
  await expect(record.change(() => ({ current: true }))).rejects.toThrow();
  expect(record.standing.current).toBe(false);
  await rm(join(directory, "gone"));
  await record.change(() => ({ current: true }));
  expect(record.standing.current).toBe(true);
});

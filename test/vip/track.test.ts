import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeGates, readEligible, trackFile, writeEligible } from "../../src/vip/track.ts";

const base = mkdtempSync(join(tmpdir(), "chime-vip-"));
afterAll(() => rmSync(base, { recursive: true }));

test("a missing file is not eligible", () => {
  expect(readEligible("mysql", base)).toBe(false);
});

test("what is written is read back, in one file, with its directory made", () => {
  const directory = join(base, "run", "vip");
  writeEligible("mysql", true, directory);
  expect(readEligible("mysql", directory)).toBe(true);
  expect(readFileSync(trackFile("mysql", directory), "utf8")).toBe("1\n");
  const { ino } = statSync(trackFile("mysql", directory));
  writeEligible("mysql", false, directory);
  expect(readEligible("mysql", directory)).toBe(false);
  // In place: keepalived would see a moved file too, but a crash could leave a temporary one.
  expect(statSync(trackFile("mysql", directory)).ino).toBe(ino);
  expect(readdirSync(directory)).toEqual(["mysql.eligible"]);
});

test.each(["", "0", "yes", "garbage\n1"])("%p in the file is not eligible", (content) => {
  writeFileSync(trackFile("other", base), content);
  expect(readEligible("other", base)).toBe(false);
});

test("instances do not share a file", () => {
  writeEligible("a", true, base);
  expect(existsSync(trackFile("b", base))).toBe(false);
});

test("all gates are closed at once", () => {
  const directory = join(base, "gates");
  for (const name of ["mysql", "minio"]) writeEligible(name, true, directory);
  expect(closeGates(directory).sort()).toEqual(["minio", "mysql"]);
  expect(["mysql", "minio"].map((name) => readEligible(name, directory))).toEqual([false, false]);
  expect(closeGates(join(base, "never made"))).toEqual([]);
});

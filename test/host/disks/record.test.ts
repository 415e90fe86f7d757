import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepGiven, loadGiven } from "../../../src/host/disks/record.ts";
import { caught } from "../../cli/fake.ts";
import { givenDisk } from "./facts.ts";

let path: string;
beforeEach(() => (path = join(mkdtempSync(join(tmpdir(), "chime-disks-")), "disks.json")));
afterEach(() => rmSync(join(path, ".."), { recursive: true }));

test("none were given", async () => {
  expect(await loadGiven(path)).toEqual([]);
});

test("read as they were recorded", async () => {
  const disks = [givenDisk(1), givenDisk(2)];
  await keepGiven(disks, path);
  expect(await loadGiven(path)).toEqual(disks);
});

test.each([
  ["half a file", '{"disks":['],
  ["a label that XFS cuts off", JSON.stringify({ disks: [{ ...givenDisk(1), label: "store-disk1234" }] })],
  ["a place that is none", JSON.stringify({ disks: [{ ...givenDisk(1), at: "/store/../etc" }] })],
  ["a UUID that would be another word", JSON.stringify({ disks: [{ ...givenDisk(1), uuid: "x -f" }] })],
])("not taken for none: %s", async (_what, text) => {
  writeFileSync(path, text);
  expect(await caught(loadGiven(path))).toMatchObject({ code: "disks.corrupt" });
});

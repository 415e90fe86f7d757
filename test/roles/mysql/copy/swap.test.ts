import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isBetween, readStage } from "../../../../src/roles/mysql/copy/swap.ts";

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "chime-swap-"));
});
afterEach(() => rm(data, { recursive: true }));

const make = (...names: string[]) =>
  Promise.all(names.map((name) => mkdir(join(data, ".chime-copy", name), { recursive: true })));

test("how far a copy is, by the name of its directory", async () => {
  expect(await readStage(data)).toBeUndefined();
  await make("part");
  expect(await readStage(data)).toBe("part");
  await make("fill");
  const stage = await readStage(data);
  expect([stage, isBetween(stage)]).toEqual(["fill", true]);
});

test("what a killed run left before there was a copy is no more than a part of one: it goes", async () => {
  await make("work");
  const stage = await readStage(data);
  expect([stage, isBetween(stage)]).toEqual(["part", false]);
});

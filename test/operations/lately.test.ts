import { afterAll, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { passedLately, rememberPassed } from "../../src/operations/lately.ts";
import { context as roleContext } from "../vip/fixtures.ts";

const directory = await mkdtemp(join(tmpdir(), "lately-"));
afterAll(() => rm(directory, { recursive: true }));
const at = 1_000_000;

test("what the network allowed is good for a minute, and for the same question only", async () => {
  const path = join(directory, "checked.json");
  const context = roleContext();
  expect(await passedLately(context, { path, now: at })).toBe(false);
  await rememberPassed(context, { path, now: at });
  expect(await passedLately(context, { path, now: at + 59_999 })).toBe(true);
  expect(await passedLately(context, { path, now: at + 60_000 })).toBe(false);
  // The clock was set back: nobody knows how long ago it was.
  expect(await passedLately(context, { path, now: at - 1 })).toBe(false);
  const other = { ...context, cluster: { ...context.cluster, id: "another" } };
  expect(await passedLately(other, { path, now: at })).toBe(false);
  const rewired = { ...context, facts: { ...context.facts, interfaces: [] } };
  expect(await passedLately(rewired, { path, now: at })).toBe(false);
});

test.each(["", "{", "[]", '{"at":"now","what":1}'])("damaged notes (%j) mean to ask again", async (text) => {
  const path = join(directory, "damaged.json");
  await writeFile(path, text);
  expect(await passedLately(roleContext(), { path, now: at })).toBe(false);
});

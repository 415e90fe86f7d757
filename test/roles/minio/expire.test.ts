import { expect, test } from "bun:test";
import { dueOf, inOrder } from "../../../src/roles/minio/expire.ts";
import type { Version } from "../../../src/roles/minio/s3.ts";

/** The latest first: `d5` is a deletion at 5, `4` a state of that moment. */
function versions(...words: string[]): Version[] {
  return words.map((word, i) => ({
    key: "object",
    id: word,
    isDeletion: word.startsWith("d"),
    isLatest: i === 0,
    at: Number(word.replace("d", "")),
  }));
}

test.each([
  ["nothing but the latest state", ["1"], []],
  ["older states, by when the next one came", ["30", "20", "9", "1"], ["1"]],
  ["the one that came before the moment is what was there at it", ["9", "5", "1"], ["1", "5"]],
  ["the latest is never due, however old", ["2", "1"], ["1"]],
  ["a deletion, after all that it deleted", ["d9", "5", "1"], ["1", "5", "d9"]],
  ["a deletion that is not old enough, with what it deleted", ["d10", "5", "1"], ["1"]],
  ["a deletion that was followed by another state", ["30", "d20", "5", "1"], ["1"]],
  ["one that was, long ago", ["9", "d5", "1"], ["1", "d5"]],
  ["nothing is left but a deletion", ["d5"], ["d5"]],
  ["nothing", [], []],
  ["a deletion stays where the clocks leave something below it", ["d5", "50", "1"], ["50"]],
] as const)("%s", (_, all, expected) => {
  expect(dueOf(versions(...all), 10, 0).map(({ id }) => id)).toEqual([...expected]);
});

test("nothing is due of an object whose latest state the store does not name as such, or more than one", () => {
  const [deletion, state, older] = versions("d9", "5", "1") as [Version, Version, Version];
  expect(dueOf([deletion, state, older], 10, 0)).toHaveLength(3);
  expect(dueOf([state, older], 10, 0)).toEqual([]);
  expect(dueOf([{ ...deletion, isLatest: false }], 10, 0)).toEqual([]);
  expect(dueOf([deletion, { ...state, isLatest: true }], 10, 0)).toEqual([]);
});

test.each([
  ["objects by the bytes of their names", ["a", "a", "b", "z", "é", "\u{ffee}", "\u{1f600}"], true],
  ["first the states, then the deletions", ["a", "b", "a"], false],
])("%s", async (_, keys, isOrder) => {
  async function* list() {
    for (const key of keys) yield await Promise.resolve({ key });
  }
  const all = Array.fromAsync(inOrder(list()), ({ key }) => key);
  if (isOrder) expect(await all).toEqual(keys);
  else await expect(all).rejects.toMatchObject({ code: "minio.unordered" });
});

test("of an object that is written over all the time the ten newest older states are kept, and those of the last minute", () => {
  const [minuteMs, dayMs, now] = [60_000, 86_400_000, 1e12];
  const each = (everyMs: number) =>
    versions(...Array.from({ length: 100 }, (_, i) => String(now - (i + 1) * everyMs)));
  const dueIn = (everyMs: number) =>
    dueOf(each(everyMs), now, dayMs).map(({ id }) => (now - Number(id)) / everyMs);
  expect(dueIn(2 * minuteMs)).toEqual(Array.from({ length: 89 }, (_, i) => 100 - i));
  expect(dueIn(1_000).at(-1)).toBe(62);
  expect(dueIn(100)).toEqual([]);
});

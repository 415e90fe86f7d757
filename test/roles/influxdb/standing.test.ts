import { expect, test } from "bun:test";
import { judge, type Mate } from "../../../src/roles/influxdb/standing.ts";

const mate = (away: number, more: Partial<Mate> = {}): Mate => ({
  alive: true,
  isFirst: false,
  said: { serving: true, away },
  ...more,
});

test.each([
  ["it has everything", 0, mate(0), "serves"],
  ["both have everything, and the other one joined first", 0, mate(0, { isFirst: true }), "serves"],
  ["the other one has everything", 4, mate(0), "fills"],
  ["the other one lacks more", 4, mate(8), "incomplete"],
  ["the other one lacks less", 8, mate(4), "fills"],
  ["both lack as much, and the other one joined first", 4, mate(4, { isFirst: true }), "fills"],
  ["both lack as much", 4, mate(4), "incomplete"],
  ["the other one's server does not serve", 4, mate(0, { said: { serving: false, away: 0 } }), "incomplete"],
  ["the other one is dead", 4, mate(0, { alive: false, said: null }), "incomplete"],
  ["there is no other one", 4, undefined, "incomplete"],
] as const)("%s", (_, away, other, verdict) => {
  expect(judge({ serving: true, away }, other, true)).toBe(verdict);
});

test("one that has just come back waits until the other one could have been heard", () => {
  const silent = mate(0, { alive: false, said: null });
  expect(judge({ serving: true, away: 4 }, silent, false)).toBe("fills");
  expect(judge({ serving: true, away: 0 }, silent, false)).toBe("serves");
});

test("of two that hear each other one serves, whatever they lack", () => {
  for (const one of [0, 1, 2, 8]) {
    for (const two of [0, 1, 2, 8]) {
      const own = judge({ serving: true, away: one }, mate(two, { isFirst: false }), true);
      const theirs = judge({ serving: true, away: two }, mate(one, { isFirst: true }), true);
      expect([own, theirs].some((verdict) => verdict !== "fills")).toBe(true);
      if (one > 0 && two > 0) expect([own, theirs]).toContain("fills");
    }
  }
});

import { expect, test } from "bun:test";
import { systemClock } from "../../../../src/core/clock.ts";
import { Pace } from "../../../../src/roles/influxdb/gap/pace.ts";

/** The pause after each of some batches, as a multiple of what the batch took. */
function multiples(batches: readonly [lines: number, ms: number][], pace = new Pace(systemClock)): number[] {
  return batches.map(([lines, ms]) => pace.pauseAfter(lines, ms) / ms);
}

const some = (count: number, lines: number, ms: number) =>
  Array.from({ length: count }, () => [lines, ms] as [number, number]);

test("a server that answers as it does at best is left alone for longer than it is asked", () => {
  expect(multiples(some(20, 1000, 10))).toEqual(Array(20).fill(2));
});

test("the larger of two batches takes longer, and is no load", () => {
  const pace = new Pace(systemClock);
  multiples(some(5, 1000, 10), pace);
  expect(
    multiples(
      [
        [2000, 20],
        [500, 5],
      ],
      pace,
    ),
  ).toEqual([2, 2]);
});

test("one that gets slower is given more time at once, up to a limit, and less of it only by and by", () => {
  const pace = new Pace(systemClock);
  multiples(some(5, 1000, 10), pace);
  const slow = multiples(some(20, 1000, 40), pace);
  expect(slow.slice(0, 3)).toEqual([3, 4.5, 6.75]);
  expect(slow.at(-1)).toBe(50);
  const fast = multiples(some(10, 1000, 10), pace);
  expect(fast[0]).toBeCloseTo(47.5);
  expect(fast.at(-1)).toBeGreaterThan(25);
});

test("a server that stays slower than it was at best is not slow for ever", () => {
  const pace = new Pace(systemClock);
  multiples(some(1, 1000, 10), pace);
  expect(multiples(some(300, 1000, 20), pace).at(-1)).toBe(2);
});

import { expect, test } from "bun:test";
import { ReplayWindow, replayWidth } from "../../../src/cluster/gossip/replay.ts";
import { seeded } from "../support.ts";

function offer(window: ReplayWindow, counter: number): boolean {
  if (!window.isNew(counter)) return false;
  window.take(counter);
  return true;
}

test("each counter is taken once, in any order within the window", () => {
  const window = new ReplayWindow();
  expect([0, 2, 1, 2, 0, 3].map((counter) => offer(window, counter))).toEqual([
    true,
    true,
    true,
    false,
    false,
    true,
  ]);
});

test("what is older than the window is not taken, seen or not", () => {
  const window = new ReplayWindow();
  offer(window, replayWidth);
  expect(offer(window, 0)).toBe(false);
  expect(offer(window, 1)).toBe(true);
});

test("a session may be met in its middle, and counters reach 48 bits", () => {
  const window = new ReplayWindow();
  const last = 2 ** 48 - 1;
  expect([5_000, 4_999, last, last, last - 1, 5_001].map((counter) => offer(window, counter))).toEqual([
    true,
    true,
    true,
    false,
    true,
    false,
  ]);
});

test("says the same as a list of all that was seen", () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = seeded(seed);
    const window = new ReplayWindow();
    const seen = new Set<number>();
    let highest = 0;
    for (let step = 0; step < 2_000; step++) {
      const jump = random() < 0.02 ? 3 * replayWidth : 40;
      const back = random() < 0.02 ? 2 * replayWidth : 40;
      const counter = Math.max(0, highest + Math.floor(random() * jump) - Math.floor(random() * back));
      const isNew = !seen.has(counter) && counter > highest - replayWidth;
      expect([seed, step, counter, offer(window, counter)]).toEqual([seed, step, counter, isNew]);
      if (isNew) seen.add(counter);
      if (isNew) highest = Math.max(highest, counter);
    }
  }
});

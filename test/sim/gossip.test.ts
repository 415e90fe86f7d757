import { afterAll, expect, test } from "bun:test";
import { play, type Outcome } from "./scenario.ts";

/**
 * Clusters in bad networks, each drawn from a seed. A failing one tells how it is played again. CHIME_LONG=1 (`scripts/test
 * --unit --long`) plays a hundred times as many; CHIME_SIM_SEEDS=FROM-TO plays a part of them, so that many can be played in
 * several sittings, each of which tells where it ended; CHIME_SIM_MOST=N plays with up to so many nodes.
 */
const long = process.env["CHIME_LONG"] === "1";
const given = /^(\d+)(?:-(\d+))?$/.exec(process.env["CHIME_SIM_SEEDS"] ?? "");
const first = Number(given?.[1] ?? 1);
const last = given ? Number(given[2] ?? first) : long ? 100_000 : 1_000;
const most = Number(process.env["CHIME_SIM_MOST"] ?? 24);
const slice = 100;

const slices = Array.from({ length: Math.ceil((last - first + 1) / slice) }, (_, i) => {
  const from = first + i * slice;
  return [from, Math.min(last, from + slice - 1)] as const;
});

test.each(slices)(
  "seeds %i to %i: whoever can reach each other agrees, and nothing goes back",
  (from, to) => {
    const start = performance.now();
    for (let seed = from; seed <= to; seed++) check(seed, most);
    playedMs += performance.now() - start;
    if (from === next) next = to + 1;
  },
);

/** The seeds before this one were played and passed. */
let next = first;
let playedMs = 0;

afterAll(() => {
  const count = next - first;
  if (count < slice) return;
  const rate = Math.round((1000 * count) / playedMs);
  console.log(`seeds ${first} to ${next - 1} passed, up to ${most} nodes each, ${rate} seeds a second`);
});

const large = Array.from({ length: long ? 100 : 3 }, (_, i) => i + 1);
test.skipIf(given !== null).each(large)("a cluster of up to 256 nodes, seed %i", (seed) => check(seed, 256));

function check(seed: number, most: number): void {
  if (play(seed, most).failures.length === 0) return;
  throw new Error(told(seed, most, play(seed, most, true)));
}

function told(seed: number, most: number, { failures, tail }: Outcome): string {
  const again = `CHIME_SIM_SEEDS=${seed} CHIME_SIM_MOST=${most} bun test --timeout 100000 test/sim/gossip.test.ts`;
  return [`seed ${seed}; again: ${again}`, ...tail, ...failures].join("\n");
}

test("the same seed gives the same events", () => {
  const seed = 7;
  const one = play(seed, most, true);
  expect(one.tail.length).toBeGreaterThan(20);
  expect(play(seed, most, true)).toEqual(one);
});

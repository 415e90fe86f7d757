import { expect, test } from "bun:test";
import { judge, newStanding, settle, type Mate } from "../../../../src/roles/minio/mirror/standing.ts";
import { random } from "../../../plan/random.ts";
import { MirrorModel } from "./model.ts";

const early = "2026-11-22T01:00:00.000Z";
const late = "2026-11-22T02:00:00.000Z";
const mate = (said: Partial<typeof newStanding> | null, other: Partial<Mate> = {}): Mate => ({
  alive: true,
  isSetUp: true,
  isFirst: true,
  said: said && { ...newStanding, ...said },
  ...other,
});
const current = { ...newStanding, current: true };

const away = mate(null, { alive: false });
const second = { isFirst: false };
test.each([
  ["a node alone", newStanding, undefined, "serves"],
  ["the second, while the first is being set up", newStanding, mate(null, { isSetUp: false }), "waits"],
  ["the same, and the first has died before", newStanding, { ...away, isSetUp: false }, "serves"],
  [
    "the first, while the second is being set up",
    newStanding,
    { ...mate(null), ...second, isSetUp: false },
    "serves",
  ],
  ["one that came back to one that serves", newStanding, mate({ current: true }), "behind"],
  [
    "the same, and it has all of that",
    { ...newStanding, levelled: late },
    mate({ current: true, alone: late }),
    "behind",
  ],
  [
    "the same, and the other one knows",
    { ...newStanding, levelled: late },
    mate({ current: true, agreed: late }),
    "serves",
  ],
  ["one that came back, and the other one is away", newStanding, away, "waits"],
  ["the same, and it had gone on alone", { ...newStanding, alone: late }, away, "serves"],
  ["one that serves, while the other one is away", current, away, "serves"],
  [
    "one that serves, and the other one has gone on alone",
    current,
    mate({ current: true, alone: late }),
    "behind",
  ],
  [
    "both have gone on alone, the second",
    { ...current, alone: early },
    mate({ current: true, alone: late }),
    "behind",
  ],
  [
    "both have gone on alone, the first",
    { ...current, alone: early },
    { ...mate({ alone: late }), ...second },
    "serves",
  ],
  ["both came back, clients had written to it", { ...newStanding, active: true }, mate({}), "serves"],
  ["both came back, clients had written to the other", newStanding, mate({ active: true }, second), "waits"],
  ["both came back, the first", newStanding, mate({}, second), "serves"],
  ["both came back, the second", newStanding, mate({}), "waits"],
] as const)("%s", (_, own, other, verdict) => {
  expect(judge(own, other)).toBe(verdict);
});

test("who goes on without the other is alone, until that has levelled and it has taken note", () => {
  const situation = { isUp: true, hasVip: true, mate: mate({ current: true }), isLinked: true, now: early };
  expect(settle(current, { ...situation, isUp: false }).current).toBe(false);
  expect(settle(current, situation)).toEqual({ ...current, active: true });
  expect(settle(current, { ...situation, mate: away, hasVip: false }).alone).toBeNull();
  expect(settle(current, { ...situation, mate: mate({}), hasVip: false }).alone).toBe(early);
  const unlinked = { ...situation, isLinked: false };
  expect(settle(current, unlinked).alone).toBe(early);
  expect(settle(current, { ...unlinked, hasVip: false }).alone).toBeNull();
  const alone = settle(current, { ...situation, mate: away });
  expect(alone.alone).toBe(early);
  expect(settle(alone, { ...situation, mate: away, now: late })).toEqual(alone);
  const level = { ...situation, mate: mate({ levelled: early }), now: late };
  const agreed = settle(alone, level);
  expect(agreed).toMatchObject({ alone: null, agreed: early });
  expect(settle(agreed, level)).toEqual(agreed);
  expect(settle(alone, { ...level, isLinked: false })).toEqual(alone);
  expect(settle({ ...alone, current: false }, level).alone).toBe(late);
  expect(settle(agreed, { ...level, mate: mate({}) }).alone).toBe(late);
});

const events = ["kill", "power", "boot", "boot", "start", "start", "agent"].flatMap((event) => [
  `${event}0`,
  `${event}1`,
]);

/** 80 s of it; then all is mended. @returns how many seconds one served, and how many of them stale */
function outages(seed: number, possible: readonly string[]) {
  const below = random(seed);
  const model = new MirrorModel();
  const count = { served: 0, stale: 0 };
  for (let second = 0; second < 80; second++) {
    if (below(4) === 0) model.strike(possible[below(possible.length)] ?? "");
    model.step();
    count.served += model.holders().length;
    count.stale += model.holders().filter((holder) => model.isStale(holder)).length;
  }
  for (const event of ["heal", "link", "boot0", "boot1"]) model.strike(event);
  for (let second = 0; second < 10; second++) model.step();
  return { ...count, isWhole: model.isWhole };
}
const seeds = Array.from({ length: 500 }, (_, i) => i + 1);

test("over any outages nobody serves without what the other one took alone, and both are whole in the end", () => {
  let served = 0;
  for (const seed of seeds) {
    const run = outages(seed, events);
    served += run.served;
    expect({ seed, ...run }).toMatchObject({ seed, stale: 0, isWhole: true });
  }
  expect(served).toBeGreaterThan(10_000);
});

test("stores that do not reach each other for a while: the one with clients goes on, and nobody serves stale", () => {
  for (const seed of seeds) {
    const run = outages(seed, ["unlink", "link", "link", "move", "agent0", "agent1"]);
    expect({ seed, ...run }).toMatchObject({ seed, stale: 0, isWhole: true });
  }
});

test("cut from each other as well, both are whole in the end", () => {
  for (const seed of seeds) {
    expect({ seed, ...outages(seed, [...events, "cut", "heal", "heal", "unlink", "link"]) }).toMatchObject({
      seed,
      isWhole: true,
    });
  }
});

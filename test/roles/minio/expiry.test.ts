import { expect, test } from "bun:test";
import { Expiry, mayExpire } from "../../../src/roles/minio/guard/expiry.ts";
import { othersOf } from "../../../src/roles/minio/guard/redundancy.ts";
import type { Store } from "../../../src/roles/minio/store.ts";
import type { OlderStates } from "../../../src/roles/minio/versions.ts";
import { storeNode, type Said } from "./context.ts";

const mine = { attached: true, owes: false };
const others = (...said: Said[]) =>
  othersOf(
    "node9",
    said.map((one, nth) => storeNode(nth + 2, one)),
  );

test.each([
  ["all is well", 1, mine, [{}, {}], true],
  ["another one has a lower place", 9, mine, [{}, {}], false],
  ["its own server has not found every drive", 1, { ...mine, attached: false }, [{}, {}], false],
  ["something may not be everywhere", 1, { ...mine, owes: true }, [{}, {}], false],
  ["the same by another one's word", 1, mine, [{}, { owes: true }], false],
  ["another one has not found every drive", 1, mine, [{ attached: false }, {}], false],
  ["another one waits", 1, mine, [{ state: "waiting" }, {}], false],
  ["another one is dead", 1, mine, [{ liveness: "dead" }, {}], false],
  ["another one has said nothing yet", 1, mine, [{ silent: true }, {}], false],
  ["another one does not know its place", 1, mine, [{ slot: null }, {}], false],
] as const)("%s", (_, own, self, said, expected) => {
  expect(mayExpire(own, self, others(...said))).toBe(expected);
});

const [minuteMs, hourMs, dayMs] = [60_000, 3_600_000, 86_400_000];

/** By when it is asked, hours after the agent's start, what it ends of what age. */
async function ended(
  times: readonly { hours: number; isFull?: boolean; may?: boolean }[],
  kept: OlderStates,
  takesHours = 0,
) {
  let hours = 0;
  const done: [hours: number, ageMs: number][] = [];
  const clock = { now: () => 5_000 + hours * hourMs, wall: () => 1e12 };
  const expiry = new Expiry(clock, {
    read: () => Promise.resolve(kept),
    end(_, bucket, { ageMs, now }) {
      expect([bucket, now]).toEqual(["chime", 1e12]);
      done.push([hours, ageMs]);
      hours += takesHours;
      return Promise.resolve(0);
    },
  });
  for (const { hours: at, isFull = false, may = true } of times) {
    hours = at;
    await expiry.look({} as Store, "chime", { timeoutMs: 1 });
    await expiry.advance({} as Store, "chime", { may: () => may, isFull }, { timeoutMs: 1 });
  }
  return done;
}

test("what is a day old goes some minutes after the start, and every ten minutes", async () => {
  const times = [0, 0.1, 0.2, 0.3, 0.4, 1, 1.1].map((hours) => ({ hours }));
  expect(await ended(times, "day")).toEqual([0.2, 0.4, 1].map((hours) => [hours, dayMs]));
});

test("a list that takes long is made as seldom as it takes a twentieth of the time, and every six hours", async () => {
  const times = [1, 2, 2.9, 3.1, 8, 9, 9.2].map((hours) => ({ hours }));
  expect((await ended(times, "day", 0.1)).map(([hours]) => hours)).toEqual([1, 3.1, 8]);
  expect((await ended([...times, { hours: 15.1 }], "day", 1)).map(([hours]) => hours)).toEqual([1, 8, 15.1]);
});

test("a drive that is full is a reason to do it at once, and of what is younger", async () => {
  const times = [0, 0.1, 0.2, 1].map((hours) => ({ hours, isFull: hours < 1 }));
  expect(await ended(times, "day")).toEqual([
    [0, minuteMs],
    [0.2, minuteMs],
    [1, dayMs],
  ]);
});

test("a node whose turn it is not does it as soon as it is", async () => {
  const times = [0.2, 0.3, 0.4].map((hours) => ({ hours, may: hours > 0.3 }));
  expect(await ended(times, "day")).toEqual([[0.4, dayMs]]);
});

test.each(["own", "none"] as const)("nothing is ended in a bucket that is %s", async (kept) => {
  expect(await ended([{ hours: 10, isFull: true }], kept)).toEqual([]);
});

test("a bucket that was made a moment ago is not called one that keeps nothing", async () => {
  let [seconds, kept]: [number, OlderStates] = [100, "none"];
  const read = () => Promise.resolve(kept);
  const clock = { now: () => seconds * 1_000, wall: () => 1e12 };
  const expiry = new Expiry(clock, { read, end: () => Promise.resolve(0) });
  const found = async (at: number, now: OlderStates) => {
    [seconds, kept] = [at, now];
    await expiry.look({} as Store, "chime", { timeoutMs: 1 });
    return expiry.found;
  };
  expect([await found(100, "none"), await found(109, "none"), await found(111, "none")]).toEqual([
    null,
    null,
    "none",
  ]);
  expect([await found(112, "day"), await found(113, "none"), await found(123, "none")]).toEqual([
    "day",
    "day",
    "none",
  ]);
});

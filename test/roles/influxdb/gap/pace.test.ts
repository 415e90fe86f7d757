import { expect, spyOn, test } from "bun:test";
import type { Clock } from "../../../../src/core/clock.ts";
import { inTurn, Pace } from "../../../../src/roles/influxdb/gap/pace.ts";

/** A clock on which nobody waits: it tells how long each sleep was. */
function fakeClock() {
  const state = { now: 0, slept: [] as number[] };
  const clock: Clock = {
    now: () => state.now,
    wall: () => state.now,
    sleep(ms) {
      state.slept.push(ms);
      state.now += ms;
      return Promise.resolve();
    },
  };
  return { state, clock };
}

/** A pace, a write of ours that takes so long in a pause or beside a piece of work, and such a piece. */
function paced() {
  const { state, clock } = fakeClock();
  const pace = new Pace(clock);
  const calmly = (ms: number) => {
    const start = ++state.now;
    state.now += ms;
    pace.felt(start);
  };
  const beside = async (ms: number) => {
    const work = () => {
      const start = state.now;
      state.now += ms;
      return Promise.resolve(pace.felt(start));
    };
    await pace.turn(undefined, 0, work, undefined);
  };
  const work = (ms: number) => () => {
    state.now += ms;
    return Promise.resolve(ms);
  };
  return { state, pace, calmly, beside, work };
}

/** It has seen how calm clients are: their writes take 5 ms. */
function calmPace() {
  const all = paced();
  for (let i = 0; i < 20; i++) all.calmly(5);
  return all;
}

/** The same, and what may be done at once is done. */
async function longPace() {
  const all = calmPace();
  await all.pace.turn(undefined, 0, all.work(5_000), undefined);
  return all;
}

test("nothing is asked before it is known how clients feel without", async () => {
  const { pace, calmly } = paced();
  let isDone = false;
  const turn = pace.turn("reading", 1, () => Promise.resolve((isDone = true)), undefined);
  await Bun.sleep(1);
  expect(isDone).toBe(false);
  for (let i = 0; i < 20; i++) calmly(5);
  await turn;
  expect(isDone).toBe(true);
});

test("where that cannot be known the work goes on all the same", async () => {
  const { clock } = fakeClock();
  const pace = new Pace(clock);
  pace.unfelt();
  expect(await pace.turn("reading", 1, () => Promise.resolve(7), undefined)).toBe(7);
});

test("one piece of work at a time, and after each a pause as many times as long", async () => {
  const { state, pace, work } = calmPace();
  const { multiple } = pace;
  let running = 0;
  const alone = (ms: number) => async () => {
    expect(++running).toBe(1);
    await work(ms)();
    await Promise.resolve();
    running--;
  };
  await Promise.all([10, 20, 5].map((ms) => pace.turn("reading", 1_000, alone(ms), undefined)));
  await pace.turn(undefined, 0, work(0), undefined);
  expect(state.slept.slice(0, 3).map((ms) => ms / multiple)).toEqual([10, 20, 5]);
});

test("a piece that fails ends none of those that wait", async () => {
  const { pace, work } = calmPace();
  const broken = pace.turn("writing", 1, () => Promise.reject(new Error("no")), undefined);
  const next = pace.turn("writing", 1, work(1), undefined);
  await expect(broken).rejects.toThrow("no");
  expect(await next).toBe(1);
});

test("the pause grows with each write that takes more than 1.6 times the calm beside our work, and shrinks slowly", async () => {
  const { pace, calmly, beside } = await longPace();
  const before = pace.multiple;
  await beside(8);
  expect(pace.multiple).toBeLessThan(before);
  await beside(9);
  expect(pace.multiple).toBeGreaterThan(before * 1.3);
  for (let i = 0; i < 50; i++) await beside(100);
  expect(pace.multiple).toBe(16);
  for (let i = 0; i < 2_000; i++) calmly(5);
  expect(pace.multiple).toBe(1);
});

test("what is missing after a short outage is filled at once, whatever clients feel", async () => {
  const { pace, beside } = calmPace();
  for (let i = 0; i < 30; i++) await beside(90);
  expect(pace.multiple).toBe(4);
  for (let i = 0; i < 7; i++) await beside(90);
  expect(pace.multiple).toBe(16);
});

test("what is slow without our work is the calm of a busy server, as long as it lasts", async () => {
  const { pace, calmly, beside } = await longPace();
  for (let i = 0; i < 40; i++) calmly(100);
  const before = pace.multiple;
  await beside(150);
  expect(pace.multiple).toBeLessThan(before);
  for (let i = 0; i < 40; i++) calmly(5);
  const after = pace.multiple;
  await beside(150);
  expect(pace.multiple).toBeGreaterThan(after);
});

/** Writes take 5 ms, and 30 ms of the share of time in which a piece of work is under way. */
test("it settles where one write in a hundred is slow", async () => {
  const { pace, calmly, beside } = await longPace();
  let [slow, all] = [0, 0];
  let phase = 0;
  for (let i = 0; i < 10_000; i++) {
    phase = (phase + 0.618_034) % 1;
    const isSlow = phase < 0.07 / (1 + pace.multiple);
    if (isSlow) await beside(30);
    else calmly(5);
    if (i > 3_000) {
      all++;
      slow += isSlow ? 1 : 0;
    }
  }
  expect(slow / all).toBeGreaterThan(0.008);
  expect(slow / all).toBeLessThan(0.012);
});

test("pieces are made so large that they take their time, within limits, and one that was small says nothing", async () => {
  const { pace, work } = calmPace();
  expect(pace.size("reading")).toBe(20_000);
  await pace.turn("reading", 20_000, work(60), undefined);
  expect(pace.size("reading")).toBe(25_000);
  await pace.turn("reading", 100, work(0.5), undefined);
  expect(pace.size("reading")).toBe(25_000);
  await pace.turn("reading", 25_000, work(2_000), undefined);
  expect(pace.size("reading")).toBe(20_000);
  for (let i = 0; i < 10; i++) await pace.turn("reading", pace.size("reading"), work(1), undefined);
  expect(pace.size("reading")).toBe(40_000);
  expect(pace.size("writing")).toBe(1_000);
  await pace.turn("writing", 1_000, work(12.5), undefined);
  expect(pace.size("writing")).toBe(2_000);
});

test("what held nothing says nothing of how much may be asked for at once", async () => {
  const { pace, work } = calmPace();
  const before = pace.size("counting");
  for (const held of [0, 0, before]) {
    expect(pace.size("counting")).toBe(before);
    await pace.turn("counting", () => held, work(1), undefined);
  }
  expect(pace.size("counting")).toBe(2 * before);
});

test("without a pace work is done at once", async () => {
  const both = [1, 2].map((nth) => inTurn({ timeoutMs: 1 }, "reading", 1, () => Promise.resolve(nth)));
  expect(await Promise.all(both)).toEqual([1, 2]);
});

test("what was read is given back every 40,000 values, in the pauses", async () => {
  const gc = spyOn(Bun, "gc").mockImplementation(() => 0);
  try {
    const { pace, work } = calmPace();
    const rested = (kind: "reading" | "writing", size: number) =>
      pace.turn(kind, size, work(1), undefined).then(() => pace.turn(undefined, 0, work(0), undefined));
    for (let nth = 0; nth < 9; nth++) await rested("writing", 5_000);
    for (let nth = 0; nth < 3; nth++) await rested("reading", 13_000);
    expect(gc).toHaveBeenCalledTimes(0);
    await rested("reading", 1_000);
    expect(gc).toHaveBeenCalledTimes(1);
    await rested("reading", 39_999);
    expect(gc).toHaveBeenCalledTimes(1);
  } finally {
    gc.mockRestore();
  }
});

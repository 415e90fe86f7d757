import { describe, expect, test } from "bun:test";
import {
  awaited,
  restartStep,
  type Fellow,
  type StartedWith,
} from "../../../src/roles/minio/guard/restart-step.ts";

const old: StartedWith = { current: "old", used: "old" };
const due: StartedWith = { current: "both", used: null };
const done: StartedWith = { current: "both", used: "both" };

const fellow = (index: number, state: StartedWith | undefined, more: Partial<Fellow> = {}): Fellow => ({
  index,
  alive: true,
  isUp: true,
  state,
  ...more,
});

describe("of a pool", () => {
  const pool = (index: number, ...others: Fellow[]) =>
    restartStep({ topology: "pool", index, own: due, others, hasVip: false });

  test("servers are restarted at once, when all that live have what they are restarted for, by the first of them", () => {
    expect(pool(1, fellow(2, due), fellow(3, old))).toBe("wait");
    expect(pool(1, fellow(2, due), fellow(3, undefined))).toBe("wait");
    expect(pool(1, fellow(2, due), fellow(3, due))).toBe("restart-all");
    expect(pool(2, fellow(1, due), fellow(3, due))).toBe("wait");
    expect(pool(2, fellow(1, due, { alive: false }), fellow(3, due))).toBe("restart-all");
    expect(pool(2, fellow(1, done), fellow(3, due))).toBe("restart-all");
  });

  test("one whose server was started anew and does not answer has nothing left to do, and holds up nobody", () => {
    const silent: StartedWith = { current: "both", used: null, old: false };
    const late: StartedWith = { ...silent, old: true };
    expect(pool(2, fellow(1, silent), fellow(3, late))).toBe("restart-all");
    expect(pool(3, fellow(1, silent), fellow(2, late))).toBe("wait");
    expect(pool(3, fellow(1, silent), fellow(2, done))).toBe("restart-all");
  });

  test("who waits says for whom", () => {
    const names = (index: number, ...others: Fellow[]) =>
      awaited({ topology: "pool", index, own: due, others, hasVip: false }).map((other) => other.index);
    expect(names(1, fellow(2, due), fellow(3, old))).toEqual([3]);
    expect(names(3, fellow(1, due), fellow(2, due, { alive: false }))).toEqual([1]);
    expect(names(1, fellow(2, due), fellow(3, due))).toEqual([]);
  });

  test("one that comes back when the others are through restarts its own alone", () => {
    expect(pool(1, fellow(2, done), fellow(3, done))).toBe("restart");
    expect(pool(3, fellow(1, done), fellow(2, due, { alive: false }))).toBe("restart");
  });
});

test("of a mirror the store with the clients goes last, and waits for nobody who is away", () => {
  const mirror = (hasVip: boolean, ...others: Fellow[]) =>
    restartStep({ topology: "mirror", index: 1, own: due, others, hasVip });
  expect(mirror(false, fellow(2, due))).toBe("restart");
  expect(mirror(false, fellow(2, due, { isUp: false }))).toBe("wait");
  expect(mirror(false, fellow(2, due, { isUp: false, alive: false }))).toBe("restart");
  expect(mirror(true, fellow(2, due))).toBe("wait");
  // It has yet to be given what it is restarted for, and will be as soon as it has that.
  expect(mirror(true, fellow(2, old))).toBe("wait");
  expect(mirror(true, fellow(2, undefined))).toBe("wait");
  expect(mirror(true, fellow(2, done, { isUp: false }))).toBe("wait");
  expect(mirror(true, fellow(2, done))).toBe("restart");
  expect(mirror(true, fellow(2, due, { alive: false }))).toBe("restart");
  expect(mirror(true)).toBe("restart");
});

test.each([true, false])(
  "of a mirror none is waited for whose server is down and has nothing left to do, with clients: %p",
  (hasVip) => {
    const mirror = (state: StartedWith) =>
      restartStep({
        topology: "mirror",
        index: 1,
        own: due,
        others: [fellow(2, state, { isUp: false })],
        hasVip,
      });
    expect(mirror({ ...done, old: false })).toBe("restart");
    expect(mirror({ ...due, old: false })).toBe("restart");
    expect(mirror({ ...due, old: true })).toBe("wait");
    expect(mirror({ ...old, old: false })).toBe("wait");
  },
);

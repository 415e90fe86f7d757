import { describe, expect, test } from "bun:test";
import type { SecretState } from "../../../src/cluster/secret-store.ts";
import { nextStep, type Fellow, type Situation } from "../../../src/roles/minio/guard/password-step.ts";

const [old, id] = ["0", "1.aaaaaaaa"];
const before: SecretState = { current: old, next: null, used: old };
const heard: SecretState = { current: old, next: id, used: old };
const taken: SecretState = { current: id, next: null, used: old };
const done: SecretState = { current: id, next: null, used: id };

const fellow = (index: number, state: SecretState | undefined, more: Partial<Fellow> = {}): Fellow => ({
  index,
  alive: true,
  isUp: true,
  state,
  ...more,
});
const step = (own: SecretState, others: readonly Fellow[], more: Partial<Situation> = {}) =>
  nextStep({
    topology: "pool",
    index: 2,
    own,
    others,
    isWritten: true,
    isOld: true,
    reads: true,
    hasVip: false,
    ...more,
  });

describe("of both", () => {
  test("nothing is under way", () => {
    expect(step(before, [fellow(1, before)])).toBe("none");
    expect(step(done, [fellow(1, taken)])).toBe("none");
  });

  test("a new one is taken when all hold it, and not before", () => {
    expect(step(heard, [fellow(1, before), fellow(3, heard)])).toBe("wait");
    expect(step(heard, [fellow(1, heard), fellow(3, undefined)])).toBe("wait");
    expect(step(heard, [fellow(1, heard, { alive: false }), fellow(3, heard)])).toBe("wait");
    expect(step(heard, [fellow(1, heard), fellow(3, heard)])).toBe("take");
  });

  test("and at once where another one has taken it already, whoever is away by now", () => {
    expect(step(heard, [fellow(1, taken), fellow(3, heard, { alive: false })])).toBe("take");
    expect(step(heard, [fellow(1, done), fellow(3, before)])).toBe("take");
  });

  test("the settings come before a restart, and an answer before the end", () => {
    expect(step(taken, [fellow(1, taken)], { isWritten: false })).toBe("write");
    expect(step(taken, [fellow(1, taken)], { isOld: false, reads: false })).toBe("wait");
    expect(step(taken, [fellow(1, taken)], { isOld: false })).toBe("used");
  });
});

describe("of a pool", () => {
  test("the first of those that lag restarts all, when all that live have taken it", () => {
    expect(step(taken, [fellow(1, heard), fellow(3, taken)])).toBe("wait");
    expect(step(taken, [fellow(1, taken), fellow(3, taken)])).toBe("wait");
    expect(step(taken, [fellow(1, taken, { alive: false }), fellow(3, taken)])).toBe("restart-all");
    expect(step(taken, [fellow(1, taken), fellow(3, taken)], { index: 0 })).toBe("restart-all");
  });

  test("one that comes back when the others are done restarts its own alone, and waits for nobody", () => {
    expect(step(taken, [fellow(1, done), fellow(3, done)])).toBe("restart");
    expect(step(taken, [fellow(1, done), fellow(3, taken, { alive: false })])).toBe("restart");
    expect(step(taken, [fellow(1, done), fellow(3, taken)])).toBe("restart-all");
  });
});

describe("of a mirror", () => {
  const mirror = (mate: Fellow | undefined, hasVip: boolean) =>
    step(taken, mate ? [mate] : [], { topology: "mirror", hasVip });

  test("the one without clients first, the other one when that is up again", () => {
    expect(mirror(fellow(1, taken), false)).toBe("restart");
    expect(mirror(fellow(1, taken), true)).toBe("wait");
    expect(mirror(fellow(1, done, { isUp: false }), true)).toBe("wait");
    expect(mirror(fellow(1, done), true)).toBe("restart");
  });

  test("nobody is waited for who is away, or is not there yet", () => {
    expect(mirror(fellow(1, taken, { alive: false }), true)).toBe("restart");
    expect(mirror(undefined, true)).toBe("restart");
  });
});

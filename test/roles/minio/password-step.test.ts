import { describe, expect, test } from "bun:test";
import type { SecretState } from "../../../src/cluster/secret-store.ts";
import {
  nextStep,
  type Fellow,
  type Next,
  type Situation,
} from "../../../src/roles/minio/guard/password-step.ts";
import type { StartedWith } from "../../../src/roles/minio/guard/restart-step.ts";

const [old, id] = ["0", "1.aaaaaaaa"];
const before: SecretState = { current: old, next: null, used: old };
const heard: SecretState = { current: old, next: id, used: old };
const taken: SecretState = { current: id, next: null, used: old };
const done: SecretState = { current: id, next: null, used: id };

/** What is in the settings of a server, and whether that was started before. */
const late: StartedWith = { current: id, used: null, old: true };
const silent: StartedWith = { current: id, used: null, old: false };

const fellow = <S extends StartedWith>(
  index: number,
  state: S | undefined,
  more: Partial<Fellow> = {},
): Fellow<S> => ({ name: `node${index}`, index, alive: true, isUp: true, ...more, state });

const basis: Omit<Situation, "own"> = {
  topology: "pool",
  index: 2,
  holders: [],
  others: [],
  isWritten: true,
  isOld: true,
  isSettled: false,
  hasVip: false,
  spare: 1,
};
const holding = (own: SecretState, ...holders: Fellow<SecretState>[]): Next =>
  nextStep({ ...basis, own, holders });
const starting = (others: readonly Fellow[], more: Partial<Situation> = {}): Next =>
  nextStep({ ...basis, own: taken, others, ...more });

const now = (step: Next["step"]): Next => ({ step, awaiting: null });
const wait = (awaiting: string): Next => ({ step: "wait", awaiting });

describe("of both", () => {
  test("nothing is under way", () => {
    expect(holding(before, fellow(1, before))).toEqual(now("none"));
    expect(holding(done, fellow(1, taken))).toEqual(now("none"));
  });

  test("a new one is taken when all hold it, and not before: of one that is not heard the server may run", () => {
    expect(holding(heard, fellow(1, before), fellow(3, heard))).toEqual(
      wait("waiting for node1 to hear of it"),
    );
    expect(holding(heard, fellow(1, heard), fellow<SecretState>(3, undefined))).toEqual(
      wait("waiting for node3 to hear of it"),
    );
    const away = fellow(1, heard, { alive: false });
    expect(holding(heard, away, fellow(3, heard))).toEqual(
      wait("nothing is changed before node1, not heard, is there"),
    );
    expect(holding(heard, fellow(1, heard), fellow(3, heard))).toEqual(now("take"));
  });

  test("and at once where another one has taken it already, whoever is away by now", () => {
    expect(holding(heard, fellow(1, taken), fellow(3, heard, { alive: false }))).toEqual(now("take"));
    expect(holding(heard, fellow(1, done), fellow(3, before))).toEqual(now("take"));
  });

  test("the settings come before a restart, and an answer before the end; a server that is stopped is at it", () => {
    expect(starting([fellow(1, late)], { isWritten: false })).toEqual(now("write"));
    expect(starting([fellow(1, late)], { isOld: false })).toEqual(
      wait("its server was started with it, and does not answer"),
    );
    expect(starting([fellow(1, late)], { isOld: false, isSettled: true })).toEqual(now("used"));
  });
});

describe("of a pool", () => {
  test("the first of those that lag restarts all, when all that live have it in their settings", () => {
    expect(starting([fellow(1, before), fellow(3, late)])).toEqual(
      wait("waiting for node1 to have it in its server's settings"),
    );
    expect(starting([fellow(1, late), fellow(3, late)])).toEqual(
      wait("waiting for node1 to restart all servers at once"),
    );
    expect(starting([fellow(1, late), fellow(3, late)], { index: 0 })).toEqual(now("restart-all"));
  });

  test("who tells of no settings is gone by for what its agent holds", () => {
    expect(starting([fellow(1, taken), fellow(3, taken)])).toEqual(
      wait("waiting for node1 to restart all servers at once"),
    );
    expect(starting([fellow(3, taken)])).toEqual(now("restart-all"));
  });

  test("none is waited for whose server is stopped, or was started anew and does not answer, nor one that is away", () => {
    expect(starting([fellow(1, done), fellow(3, late)])).toEqual(now("restart-all"));
    // It has ended since, and is out until the others have the new one, too.
    expect(starting([fellow(1, silent), fellow(3, late)])).toEqual(now("restart-all"));
    expect(starting([fellow(1, late, { alive: false }), fellow(3, late)])).toEqual(now("restart-all"));
    expect(starting([fellow(1, before, { alive: false }), fellow(3, late)])).toEqual(now("restart-all"));
  });

  test("but one that is away is, where its server would be missed: it may run, and by the old one", () => {
    const away = fellow(1, late, { alive: false });
    expect(starting([away], { spare: 0 })).toEqual(
      wait("waiting for node1, not heard: without the server there nothing could be written"),
    );
    expect(starting([away, fellow(3, late, { alive: false })])).toEqual(
      wait("waiting for node1 and node3, not heard: without the server there nothing could be written"),
    );
    expect(starting([fellow(1, done, { alive: false })], { spare: 0 })).toEqual(now("restart"));
    expect(starting([], { spare: 0 })).toEqual(now("restart"));
  });

  test("one that comes back when the others are done restarts its own alone, and waits for nobody", () => {
    expect(starting([fellow(1, done), fellow(3, done)])).toEqual(now("restart"));
    expect(starting([fellow(1, done), fellow(3, late, { alive: false })])).toEqual(now("restart"));
    expect(starting([fellow(1, done), fellow(3, late)])).toEqual(now("restart-all"));
  });
});

describe("of a mirror", () => {
  const mirror = (mate: Fellow | undefined, hasVip: boolean) =>
    starting(mate ? [mate] : [], { topology: "mirror", hasVip, spare: 0 });

  test("the one without clients first, the other one when that is up again", () => {
    expect(mirror(fellow(1, late), false)).toEqual(now("restart"));
    expect(mirror(fellow(1, late), true)).toEqual(
      wait("waiting for the server of node1 to be restarted first"),
    );
    expect(mirror(fellow(1, done, { isUp: false }), true)).toEqual(
      wait("waiting for the server of node1 to answer"),
    );
    expect(mirror(fellow(1, done), true)).toEqual(now("restart"));
  });

  test("nobody is waited for who is away, or is not there yet", () => {
    expect(mirror(fellow(1, late, { alive: false }), true)).toEqual(now("restart"));
    expect(mirror(undefined, true)).toEqual(now("restart"));
  });
});

import { describe, expect, test } from "bun:test";
import { createAuthority, type Authority } from "../../src/cluster/pki.ts";
import {
  beginRollover,
  idOf,
  mayFollow,
  nextStage,
  versionOf,
  type Rollover,
} from "../../src/cluster/rollover.ts";

const cluster = { name: "chime", id: "0123456789abcdef" };
const make = () => createAuthority(cluster, Date.now());
const [first, second, third, foreign] = [make(), make(), make(), make()] as [
  Authority,
  Authority,
  Authority,
  Authority,
];
const hash = "A".repeat(43);

interface Made {
  round?: number;
  before?: Authority;
  after?: Authority;
  /** Of the CA before, or whose key somebody takes for it. */
  key?: string;
  id?: string;
}

/** A rotation as far as a stage. */
function at(stage: number, made: Made = {}, members: Rollover["members"] = [[1, hash, false]]): Rollover {
  const { round = 1, before = first, after = second, key = before.key, id = cluster.id } = made;
  const begun = { round, before: before.cert, after: after.cert, members };
  let now = beginRollover(id, { before: key, after: after.key }, begun);
  while (now.stage < stage) now = nextStage(id, after.key, now);
  return now;
}

const one = at(1);
const on = (stage: number): Rollover => {
  let made = one;
  while (made.stage < stage) made = nextStage(cluster.id, second.key, made);
  return made;
};
const knowing = (own: Rollover | undefined) => ({ own, ca: first.cert });
const follows = (own: Rollover | undefined, next: Rollover) => mayFollow(cluster.id, knowing(own), next);

describe("a member goes on", () => {
  test.each<[string, Rollover | undefined, Rollover]>([
    ["from none to the first stage", undefined, one],
    ["from none to a later one", undefined, on(2)],
    ["a stage", one, on(2)],
    ["some stages", one, on(4)],
    ["to the next rotation", on(4), at(1, { round: 2, before: second, after: third })],
    ["to the next one, having missed the end", on(2), at(2, { round: 2, before: second, after: third })],
  ])("%s", (_, own, next) => expect(follows(own, next)).toBe(true));
});

describe("a member does not go", () => {
  test.each<[string, Rollover | undefined, Rollover]>([
    ["back", on(3), on(2)],
    ["to where it is", on(2), on(2)],
    ["to one that the present CA did not begin", undefined, at(1, { key: foreign.key })],
    ["from another CA", undefined, at(1, { before: foreign })],
    ["to one of another cluster", undefined, at(1, { id: "fedcba9876543210" })],
    ["to one of a later round", undefined, at(1, { round: 2 })],
    ["to a stage that the new CA did not sign", one, { ...one, stage: 2 }],
    ["to one signed by the CA before", one, nextStage(cluster.id, first.key, one)],
    ["to another CA in the same round, which the CA before began", one, at(2, { after: third })],
    [
      "to other members in the same round",
      one,
      at(2, {}, [
        [1, hash, false],
        [9, hash, false],
      ]),
    ],
    ["to a next rotation by the CA before", on(4), at(1, { round: 2, after: third })],
    [
      "to a next one that the CA before signed",
      on(4),
      at(1, { round: 2, before: second, after: third, key: first.key }),
    ],
    ["to the same CA", undefined, at(1, { after: first })],
    ["to one with members that were not signed", undefined, { ...one, members: [[9, hash, false]] }],
    ["to one in which who had left has not", undefined, { ...one, members: [[1, hash, true]] }],
  ])("%s", (_, own, next) => expect(follows(own, next)).toBe(false));
});

test("versions rise by stage and by round, and ids tell two of one version apart", () => {
  const second2 = at(2, { round: 2, before: second, after: third });
  expect([undefined, one, on(2), on(4), second2].map(versionOf)).toEqual([0, 1, 2, 4, 6]);
  expect(idOf(one, first.cert)).toBe(idOf(at(1), first.cert));
  const others = [
    idOf(undefined, first.cert),
    idOf(on(2), first.cert),
    idOf(at(1, { after: third }), first.cert),
  ];
  expect(others).not.toContain(idOf(one, first.cert));
});

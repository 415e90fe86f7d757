import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDue, othersOf, Redundancy, type Others } from "../../../src/roles/minio/guard/redundancy.ts";
import { storeNode } from "./context.ts";

type Other = Exclude<Others[number], string>;
const other = (slot: number, own: Partial<Other> = {}): Other => ({
  slot,
  state: "serving",
  attached: true,
  owes: false,
  healed: null,
  ...own,
});
const owing = { attached: true, owes: true };

describe("who has everything completed, and when", () => {
  const cases: [what: string, own: number, mine: typeof owing, others: Others, due: boolean][] = [
    ["the first of all", 1, owing, [other(2), other(3)], true],
    ["for another one that owes", 1, { attached: true, owes: false }, [other(2, { owes: true })], true],
    ["nothing is owed", 1, { attached: true, owes: false }, [other(2), other(3)], false],
    ["not the first", 2, owing, [other(1), other(3)], false],
    ["the first that serves", 2, owing, [other(1, { state: "down" }), other(3)], true],
    ["the first is dead", 2, owing, ["dead", other(3)], true],
    ["a server has not found all drives", 1, owing, [other(2, { attached: false })], false],
    ["this one has not", 1, { attached: false, owes: true }, [other(2)], false],
  ];
  test.each(cases)("%s", (_, own, mine, others, due) => {
    expect(isDue(own, mine, others)).toBe(due);
  });
});

test("a node that has left is waited for no more, a dead one is", () => {
  const members = [
    storeNode(1),
    storeNode(2),
    storeNode(3, { liveness: "dead" }),
    storeNode(4, { liveness: "left", state: "down" }),
    storeNode(5, { silent: true }),
  ];
  expect(othersOf("node1", members)).toEqual([expect.objectContaining({ slot: 2 }), "dead", "silent"]);
});

describe("that drives were away", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "chime-owes-"));
    path = join(directory, "state/minio-owes");
  });
  afterEach(() => rm(directory, { recursive: true }));

  test("is remembered over a restart", async () => {
    const first = new Redundancy(path);
    await first.note(9, 9, []);
    expect(first.owes).toBe(false);
    await first.note(6, 9, []);
    expect(new Redundancy(path).owes).toBe(true);
  });

  test("is over when another node has completed everything since all are back, not before", async () => {
    const node = new Redundancy(path);
    const before = [other(1, { healed: "2026-11-22T01:00:00.000Z" })];
    const after = [other(1, { healed: "2026-11-22T02:00:00.000Z" })];
    await node.note(6, 9, before);
    await node.note(9, 9, before);
    expect(node.owes).toBe(true);
    await node.note(9, 9, after);
    expect(node.owes).toBe(false);
    expect(existsSync(path)).toBe(false);
  });

  test("what was completed while drives were away counts for nothing", async () => {
    const node = new Redundancy(path);
    const after = [other(1, { healed: "2026-11-22T02:00:00.000Z" })];
    await node.note(6, 9, []);
    await node.note(6, 9, after);
    await node.note(9, 9, after);
    await node.note(9, 9, after);
    expect(node.owes).toBe(true);
  });

  test("is not over because the node that completed something long ago forgets it, or goes", async () => {
    const node = new Redundancy(path);
    const before = [other(1, { healed: "2026-11-22T01:00:00.000Z" })];
    await node.note(6, 9, before);
    await node.note(9, 9, before);
    for (const others of [[other(1)], []]) {
      await node.note(9, 9, others);
      expect(node.owes).toBe(true);
    }
  });

  test("is not said for a node that has said nothing yet, whose word is waited for", async () => {
    const node = new Redundancy(path);
    await node.note(9, 9, ["silent"]);
    expect(node.owes).toBe(false);
    await node.note(6, 9, [other(1)]);
    await node.note(9, 9, [other(1, { healed: "2026-11-22T01:00:00.000Z" }), "silent"]);
    await node.note(9, 9, [other(1, { healed: "2026-11-22T01:00:00.000Z" }), other(2)]);
    expect(node.owes).toBe(true);
  });

  test("is remembered for a node that is dead or does not serve, too, before its drives are missed", async () => {
    for (const others of [
      ["dead" as const],
      [other(2, { state: "waiting" })],
      [other(2, { state: "down" })],
    ]) {
      const node = new Redundancy(path);
      await node.note(9, 9, others);
      expect(node.owes).toBe(true);
      await rm(path);
    }
    const own = new Redundancy(path);
    own.attached = true;
    await own.down();
    expect([own.owes, own.attached]).toEqual([true, false]);
  });

  test("while nobody tells of drives nothing changes", async () => {
    const node = new Redundancy(path);
    await node.note(null, 9, []);
    expect(node.owes).toBe(false);
  });
});

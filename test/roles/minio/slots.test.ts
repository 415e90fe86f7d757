import { expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MemberView } from "../../../src/cluster/types.ts";
import { rememberedSlot, rememberSlot, slotAddresses, slots } from "../../../src/roles/minio/slots.ts";
import { awaitsNodes, isForming } from "../../../src/roles/minio/together.ts";
import { storeContext, storeNode } from "./context.ts";

const places = (members: MemberView[], own: number | null = null) =>
  Object.fromEntries([...slots(storeContext(members), members, own)].map(([slot, { name }]) => [slot, name]));
const fresh = (index: number) => storeNode(index, { slot: null });

test("by rising index once all are there, and none before", () => {
  expect(places([fresh(4), fresh(2)])).toEqual({});
  expect(places([fresh(4), fresh(2), fresh(7)])).toEqual({ 1: "node2", 2: "node4", 3: "node7" });
});

test("a node that is gone moves nobody; a new one gets the lost one's place", () => {
  const [one, three] = [storeNode(1), storeNode(3)];
  expect(places([one, three])).toEqual({ 1: "node1", 3: "node3" });
  expect(places([one, three, fresh(4)])).toEqual({ 1: "node1", 2: "node4", 3: "node3" });
});

test("what a node has just forgotten to say it still knows", () => {
  const forgotten = storeNode(4, { silent: true });
  expect(places([forgotten, storeNode(1), storeNode(3)], 2)).toEqual({ 1: "node1", 2: "node4", 3: "node3" });
  expect(places([forgotten, storeNode(1)], 2)).toEqual({ 1: "node1", 2: "node4" });
});

test("two that claim one place get one each", () => {
  expect(places([storeNode(1), storeNode(2, { slot: 1 }), storeNode(3)])).toEqual({
    1: "node1",
    2: "node2",
    3: "node3",
  });
});

test("a place is remembered over a restart; what is no number is none", async () => {
  const directory = await mkdtemp(join(tmpdir(), "chime-slot-"));
  try {
    const path = join(directory, "state/minio-slot");
    expect(rememberedSlot(path)).toBeNull();
    await rememberSlot(3, path);
    expect(rememberedSlot(path)).toBe(3);
    await writeFile(path, "x");
    expect(rememberedSlot(path)).toBeNull();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("who is waited for", () => {
  const awaited = (...members: MemberView[]) => awaitsNodes(storeContext(members));
  const own = storeNode(1, { slot: null, phase: "installed" });
  expect(awaited(own)).toContain("waiting for 2 more nodes");
  expect(awaited(own, fresh(2))).toContain("waiting for one more node");
  const late = storeNode(3, { phase: "joined" });
  expect(awaited(own, fresh(2), late)).toBe("waiting for node3 to be installed");
  expect(awaited(own, fresh(2), storeNode(3, { phase: "installed" }))).toBeUndefined();
});

test("one that was ready waits for nobody: a server that is started again serves with those that are left", () => {
  expect(awaitsNodes(storeContext([storeNode(1), storeNode(2)]))).toBeUndefined();
});

test("the name of a free place leads nowhere, but only once it is known to be free", () => {
  const addresses = (members: MemberView[], own: number | null) =>
    slotAddresses(storeContext(members), members, own);
  const [one, two] = [storeNode(1), storeNode(2)];
  const left: [number, string][] = [
    [1, "10.0.0.11"],
    [2, "10.0.0.12"],
  ];
  expect(addresses([one, two], 1)).toEqual([...left, [3, "255.255.255.255"]]);
  expect(addresses([one, two, fresh(4)], 1)).toEqual([...left, [3, "10.0.0.14"]]);
  // Before the layout is there, and while the other one has not said where it is.
  expect(addresses([fresh(1), fresh(2)], null)).toEqual([]);
  expect(addresses([one, storeNode(2, { silent: true })], 1)).toEqual([[1, "10.0.0.11"]]);
});

test("a store is being formed until one of its nodes is ready", () => {
  const members = [storeNode(1, { phase: "configured" }), storeNode(2, { phase: "installed" })];
  expect([isForming(members), isForming([...members, storeNode(3)])]).toEqual([true, false]);
});

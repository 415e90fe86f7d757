import { describe, expect, test } from "bun:test";
import { placeOf, silentAmong } from "../../../src/roles/minio/kept.ts";
import type { KeptDisk } from "../../../src/roles/types.ts";
import { storeNode } from "./context.ts";

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
const deployment = uuid(99);
/** Of 3 × 2: the drives of the nodes 1, 2, 3, then their second ones. */
const drives = [1, 2, 3, 4, 5, 6].map(uuid);

function kept(
  slot: number,
  disk: number,
  change: { id?: string; this?: string; sets?: string[][]; label?: string } = {},
) {
  const xl = { version: "3", this: drives[(disk - 1) * 3 + slot - 1], sets: [drives], ...change };
  const content = JSON.stringify({ version: "1", format: "xl", id: change.id ?? deployment, xl });
  return { label: change.label ?? `minio-disk${disk}`, device: `/dev/sd${disk}`, content } satisfies KeptDisk;
}

const expected = { topology: "pool", nodes: 3, disksPerNode: 2, deployment, taken: [] } as const;

describe("disks that a reset left", () => {
  test("are of the place that the engine gave them, in whatever order they are given", () => {
    expect(placeOf([kept(2, 1), kept(2, 2)], expected)).toEqual({ slot: 2 });
    expect(placeOf([kept(3, 2), kept(3, 1)], expected)).toEqual({ slot: 3 });
    expect(placeOf([kept(2, 1), kept(2, 2)], { ...expected, taken: [[1, "node1"]] })).toEqual({ slot: 2 });
  });

  test("in several sets, too", () => {
    const sets = [drives.slice(0, 3), drives.slice(3)];
    expect(placeOf([kept(1, 1, { sets }), kept(1, 2, { sets })], expected)).toEqual({ slot: 1 });
  });

  test.each<[string, KeptDisk[], Partial<Parameters<typeof placeOf>[1]>, RegExp]>([
    ["of a mirror", [kept(1, 1), kept(1, 2)], { topology: "mirror" }, /mirror/],
    ["too few", [kept(1, 1)], {}, /they are 1/],
    ["of another store", [kept(1, 1), kept(1, 2, { id: uuid(98) })], {}, /of another store/],
    ["of a store that is not known", [kept(1, 1), kept(1, 2)], { deployment: "" }, /of another store/],
    ["of another layout", [kept(1, 1), kept(1, 2)], { nodes: 4 }, /layout/],
    ["of no place in it", [kept(1, 1), kept(1, 2, { this: uuid(77) })], {}, /layout/],
    [
      "with their names exchanged",
      [kept(1, 1, { label: "minio-disk2" }), kept(1, 2, { label: "minio-disk1" })],
      {},
      /place/,
    ],
    ["of two nodes", [kept(1, 1), kept(2, 2)], {}, /different nodes/],
    ["copies", [kept(1, 1), kept(1, 1)], {}, /one and the same/],
    [
      "whose place is another node's",
      [kept(2, 1), kept(2, 2)],
      { taken: [[2, "node4"]] },
      /node4 has their place/,
    ],
    ["without data", [kept(1, 1), { ...kept(1, 2), content: "" }], {}, /understood/],
    ["with something else", [kept(1, 1), { ...kept(1, 2), content: '{"id":1}' }], {}, /understood/],
  ])("%s are not taken up", (_, disks, more, why) => {
    expect(placeOf(disks, { ...expected, ...more })).toMatch(why);
  });
});

test("whether their place is free is not known before all that have one have said which", () => {
  const silent = (index: number, phase?: "installed" | "configured") =>
    storeNode(index, { silent: true, ...(phase && { phase }) });
  const nodes = [storeNode(1), silent(2), silent(3, "configured"), silent(4, "installed")];
  expect(silentAmong(nodes)).toEqual(["node2", "node3"]);
  expect(silentAmong([storeNode(1), silent(4, "installed")])).toEqual([]);
});

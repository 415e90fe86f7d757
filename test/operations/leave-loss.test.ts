import { expect, test } from "bun:test";
import { lossWithout } from "../../src/operations/leave-loss.ts";
import type { StoreStatus } from "../../src/roles/types.ts";

/** Nodes by how many drives of each are online. */
function store(online: number[], quorum: StoreStatus["quorum"], topology = "pool"): StoreStatus {
  const nodes = online.map((count, i) => ({
    name: `node${i + 1}`,
    state: "serving" as const,
    drives: { total: 3, online: count, healing: 0 },
    binary_sha256: null,
  }));
  const sum = online.reduce((all, one) => all + one, 0);
  return {
    topology,
    engine: "minio",
    nodes,
    drives: { total: 9, online: sum, healing: 0 },
    quorum,
    may_be_lost: { reads: { drives: 4, nodes: 1 }, writes: { drives: 4, nodes: 1 } },
    capacity: null,
    older_states: null,
  };
}

const five = { read: 5, write: 5 };

test.each([
  ["one of three that are there", [3, 3, 3], five, "pool", undefined],
  [
    "one of two that are left",
    [3, 3, 0],
    five,
    "pool",
    "minio is down without node1: 3 of 9 drives are left then, a read needs 5, a write needs 5",
  ],
  [
    "one of a pool that still reads",
    [3, 3],
    { read: 3, write: 4 },
    "pool",
    "minio is read-only without node1: 3 of 9 drives are left then, a write needs 4",
  ],
  ["one whose drives are gone already", [0, 3, 3], five, "pool", undefined],
  ["one of a store that is down already", [3, 0, 0], five, "pool", undefined],
  ["the last one, which is said elsewhere", [3], { read: 2, write: 2 }, "pool", undefined],
  ["one of a mirror", [3, 3], five, "mirror", undefined],
] as const)("who takes out %s is told what it costs", (_, online, quorum, topology, line) => {
  const roles = { minio: store([...online], quorum, topology) };
  expect(lossWithout({ roles }, "node1")).toEqual(line === undefined ? [] : [line]);
});

import { describe, expect, test } from "bun:test";
import { quorumOf, quorumWarning } from "../../../src/roles/minio/quorum.ts";

/** Nodes × drives: set size, parity, read and write quorum, nodes that may be lost for reads and for writes. */
const rows: [string, number, number, number, number, number, number][] = [
  // Tried on the real server.
  ["2x3", 6, 3, 3, 4, 1, 0],
  ["2x4", 8, 4, 4, 5, 1, 0],
  ["3x1", 3, 1, 2, 2, 1, 1],
  ["3x3", 9, 4, 5, 5, 1, 1],
  ["3x4", 12, 4, 8, 8, 1, 1],
  ["4x4", 16, 4, 12, 12, 1, 1],
  ["4x1", 4, 2, 2, 3, 2, 1],
  // By the same rules.
  ["1x1", 1, 0, 1, 1, 0, 0],
  ["1x2", 2, 1, 1, 2, 0, 0],
  ["1x3", 3, 1, 2, 2, 0, 0],
  ["2x1", 2, 1, 1, 2, 1, 0],
  ["2x2", 4, 2, 2, 3, 1, 0],
  // Half of ten is more than the four that may be lost: a node more takes the reads along.
  ["2x5", 10, 4, 6, 6, 0, 0],
  ["2x8", 16, 4, 12, 12, 0, 0],
  ["3x2", 6, 3, 3, 4, 1, 1],
  ["3x5", 15, 4, 11, 11, 0, 0],
  ["3x6", 9, 4, 5, 5, 1, 1],
  ["4x5", 4, 2, 2, 3, 2, 1],
  ["8x1", 8, 4, 4, 5, 4, 3],
  // Two sets, each of half the nodes.
  ["32x1", 16, 4, 12, 12, 4, 4],
];

describe("what may be lost", () => {
  for (const [layout, setSize, parity, readQuorum, writeQuorum, reads, writes] of rows) {
    test(`${layout}: ${readQuorum} and ${writeQuorum} of ${setSize}`, () => {
      const [nodes = 0, drivesPerNode = 0] = layout.split("x").map(Number);
      const quorum = quorumOf({ nodes, drivesPerNode });
      expect(quorum).toMatchObject({ setSize, parity, readQuorum, writeQuorum });
      expect(quorum.sets * setSize).toBe(nodes * drivesPerNode);
      expect([quorum.reads.nodes, quorum.writes.nodes]).toEqual([reads, writes]);
    });
  }

  test("drives are counted in one set, whichever they are", () => {
    expect(quorumOf({ nodes: 2, drivesPerNode: 3 })).toMatchObject({
      reads: { drives: 3 },
      writes: { drives: 2 },
    });
  });

  test("another parity than the engine's", () => {
    expect(quorumOf({ nodes: 3, drivesPerNode: 5, parity: 5 }).writes).toEqual({ drives: 5, nodes: 1 });
    expect(() => quorumOf({ nodes: 3, drivesPerNode: 1, parity: 2 })).toThrow(
      /more than half of the 3 drives/,
    );
  });

  test("what the engine would not start with is refused", () => {
    expect(() => quorumOf({ nodes: 17, drivesPerNode: 1 })).toThrow(/17 drives on 17 nodes cannot be spread/);
  });
});

describe("every layout up to 20 nodes with 16 drives", () => {
  const layouts = Array.from({ length: 20 }, (_, n) =>
    Array.from({ length: 16 }, (_, d) => ({ nodes: n + 1, drivesPerNode: d + 1 })),
  ).flat();
  const possible = layouts.flatMap((shape) => {
    try {
      return [quorumOf(shape)];
    } catch {
      return [];
    }
  });

  test("most of them are possible", () => expect(possible.length).toBeGreaterThan(250));

  test("what the loss of the promised nodes leaves is enough, and one node more is too many", () => {
    for (const quorum of possible) {
      for (const [what, needed] of [
        ["reads", quorum.readQuorum],
        ["writes", quorum.writeQuorum],
      ] as const) {
        const lost = quorum[what].nodes;
        const where = `${quorum.nodes}x${quorum.drivesPerNode} ${what}`;
        expect([where, enough(quorum, lost, needed)]).toEqual([where, true]);
        expect([where, enough(quorum, lost + 1, needed)]).toEqual([where, false]);
      }
    }
  });

  test("nothing that is written cannot be read, and no two halves can both write", () => {
    for (const { setSize, readQuorum, writeQuorum, writes, reads, nodes } of possible) {
      expect(writeQuorum).toBeGreaterThanOrEqual(readQuorum);
      expect(writeQuorum * 2).toBeGreaterThan(setSize);
      expect(readQuorum + writeQuorum).toBeGreaterThan(setSize);
      expect(reads.nodes).toBeGreaterThanOrEqual(writes.nodes);
      if (nodes <= 2) expect(writes.nodes).toBe(0);
      // Nodes that share a set: a lock to write needs more than half of their votes.
      const voters = Math.min(nodes, setSize);
      if (writes.nodes > 0) expect(voters - writes.nodes).toBeGreaterThan(voters / 2);
      if (reads.nodes > 0) expect(voters - reads.nodes).toBeGreaterThanOrEqual(voters / 2);
    }
  });

  test("whoever cannot lose a node is told, with a way out", () => {
    for (const quorum of possible) {
      const warning = quorumWarning(quorum);
      expect(warning === undefined).toBe(quorum.nodes === 1 || quorum.writes.nodes > 0);
      if (warning) expect(warning.remedy).not.toContain("undefined");
    }
  });
});

/** Counted drive by drive, without the arithmetic: every run of lost nodes, in every set. */
function enough(
  shape: { nodes: number; drivesPerNode: number; sets: number; setSize: number },
  lost: number,
  needed: number,
): boolean {
  for (let first = 0; first < shape.nodes; first++) {
    const isLost = (node: number) => (node - first + shape.nodes) % shape.nodes < lost;
    for (let set = 0; set < shape.sets; set++) {
      let there = 0;
      for (let i = 0; i < shape.setSize; i++) {
        if (!isLost((set * shape.setSize + i) % shape.nodes)) there++;
      }
      if (there < needed) return false;
    }
  }
  return true;
}

describe("the truth before anything is formatted", () => {
  const warning = (nodes: number, drivesPerNode: number) => quorumWarning(quorumOf({ nodes, drivesPerNode }));

  test("two nodes in one set, with the ways out", () => {
    expect(warning(2, 3)).toEqual({
      message:
        "without either of two nodes this store is read-only: a write needs 4 of 6 drives, and 3 are left",
      remedy:
        'accept it; or take two stores that copy to each other (topology = "mirror"), or a third node (nodes = 3): in [roles.minio] of cluster.toml, while no node has the role yet',
    });
  });

  test("two nodes with so many disks that the reads go, too", () => {
    expect(warning(2, 5)).toMatchObject({
      message:
        "without either of two nodes this store does not even read: that needs 6 of 10 drives, and 5 are left",
      remedy: expect.stringContaining(
        "accept it with 4 disks a node, which keeps the reads; or take two stores",
      ),
    });
  });

  test("three nodes with a number of disks that does it", () => {
    expect(warning(3, 5)).toEqual({
      message:
        "without any of 3 nodes this store does not even read: that needs 11 of 15 drives, and 10 are left",
      remedy: "take 4 disks a node, or add a node",
    });
    expect(warning(3, 3)).toBeUndefined();
    expect(warning(1, 3)).toBeUndefined();
  });
});

import { expect, test } from "bun:test";
import { mayBeLost } from "../../../src/roles/minio/may-be-lost.ts";
import { mayBeLostOf } from "../../../src/operations/converge.ts";
import { minioSpec } from "../../../src/roles/minio/layout.ts";
import { parseSpec } from "../../../src/spec/load.ts";

const specOf = (nodes: number, disks: number, topology = "pool") =>
  parseSpec(
    `[roles.minio]\nvip = "10.0.0.50"\nnodes = ${nodes}\ndisks_per_node = ${disks}\ntopology = "${topology}"`,
    "cluster.toml",
  );

/** Nodes × disks: what is told of reads and of writes. docs/minio.md has some of them. */
test.each([
  [2, 3, "pool", "any 3 of 6 drives or 1 of 2 nodes", "any 2 of 6 drives, but no node"],
  [3, 3, "pool", "any 4 of 9 drives or 1 of 3 nodes", "any 4 of 9 drives or 1 of 3 nodes"],
  [3, 1, "pool", "any 1 of 3 drives or 1 of 3 nodes", "any 1 of 3 drives or 1 of 3 nodes"],
  [4, 4, "pool", "any 4 of 16 drives or 1 of 4 nodes", "any 4 of 16 drives or 1 of 4 nodes"],
  [4, 1, "pool", "any 2 of 4 drives or 2 of 4 nodes", "any 1 of 4 drives or 1 of 4 nodes"],
  [2, 1, "pool", "any 1 of 2 drives or 1 of 2 nodes", "nothing"],
  [2, 5, "pool", "any 4 of 10 drives, but no node", "any 4 of 10 drives, but no node"],
  [
    3,
    6,
    "pool",
    "any 4 of the 9 drives of a set or 1 of 3 nodes",
    "any 4 of the 9 drives of a set or 1 of 3 nodes",
  ],
  [2, 1, "mirror", "any 1 of 2 drives or 1 of 2 nodes", "any 1 of 2 drives or 1 of 2 nodes"],
  [2, 3, "mirror", "any 3 of 6 drives or 1 of 2 nodes", "any 3 of 6 drives or 1 of 2 nodes"],
  [2, 4, "mirror", "any 5 of 8 drives or 1 of 2 nodes", "any 3 of 8 drives or 1 of 2 nodes"],
])("%i × %i, %s", (nodes, disks, topology, reads, writes) => {
  const spec = specOf(nodes, disks, topology);
  const { line } = mayBeLost(minioSpec({ spec }));
  expect(line).toBe(`what may be lost at once: for reads ${reads}; for writes ${writes}`);
});

test("plan tells it of the roles that have a layout", () => {
  const spec = specOf(2, 3);
  expect(mayBeLostOf(["mysql", "witness"], spec)).toEqual({});
  expect(mayBeLostOf(["minio"], spec)).toMatchObject({
    minio: { reads: { drives: 3, nodes: 1 }, writes: { drives: 2, nodes: 0 } },
  });
});

import { expect, test } from "bun:test";
import { balancedServices } from "../../../src/roles/minio/balanced.ts";

const nodes = [
  { name: "node1", address: "10.0.0.11" },
  { name: "node2", address: "10.0.0.12" },
];

test("S3 and the console at the VIP, of the nodes at their own addresses", () => {
  const services = balancedServices({ vip: "10.0.0.50", nodes, losesWrites: true });
  expect(services.map(({ name, address, port, backends }) => [name, address, port, backends])).toEqual([
    ["minio", "10.0.0.50", 9000, nodes.map(({ name, address }) => ({ node: name, address, port: 9000 }))],
    [
      "minio-console",
      "10.0.0.50",
      9001,
      nodes.map(({ name, address }) => ({ node: name, address, port: 9001 })),
    ],
  ]);
});

test("what only reads goes wherever there is a read quorum, the rest where there is a write quorum", () => {
  const [s3] = balancedServices({ vip: "10.0.0.50", nodes, losesWrites: true });
  expect(s3?.routes.map(({ name, methods, check }) => [name, methods, check.path])).toEqual([
    ["read", ["GET", "HEAD", "OPTIONS"], "/minio/health/cluster/read"],
    ["write", undefined, "/minio/health/cluster"],
  ]);
});

test.each([
  [true, 20_000],
  [false, 200],
])(
  "a store that loses its write quorum with a node (%p) is well for %p ms before it is written to",
  (losesWrites, backMs) => {
    const [s3] = balancedServices({ vip: "10.0.0.50", nodes, losesWrites });
    expect(s3?.routes.map(({ check }) => check.backMs)).toEqual([200, backMs]);
  },
);

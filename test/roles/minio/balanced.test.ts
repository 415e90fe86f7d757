import { expect, test } from "bun:test";
import { balancedServices } from "../../../src/roles/minio/balanced.ts";

const nodes = [
  { name: "node1", address: "10.0.0.11" },
  { name: "node2", address: "10.0.0.12" },
];

test("S3 and the console at the VIP, of the nodes at their own addresses", () => {
  const services = balancedServices({ vip: "10.0.0.50", nodes });
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
  const [s3] = balancedServices({ vip: "10.0.0.50", nodes });
  expect(s3?.routes.map(({ name, methods, check }) => [name, methods, check.path])).toEqual([
    ["read", ["GET", "HEAD", "OPTIONS"], "/minio/health/cluster/read"],
    ["write", undefined, "/minio/health/cluster"],
  ]);
});

test("a server that comes back is used when it has had time to find all drives", () => {
  const checks = balancedServices({ vip: "10.0.0.50", nodes }).flatMap(({ routes }) => routes);
  expect(checks.map(({ check }) => check.backMs)).toEqual([20_000, 20_000, 20_000]);
});

import { expect, test } from "bun:test";
import { balancedServices, mirroredServices } from "../../../src/roles/minio/balanced.ts";

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

test("of two stores that copy to each other the VIP's holder asks its own, and takes it at once when it is back", () => {
  const services = mirroredServices("10.0.0.50", { name: "node2", address: "10.0.0.12" });
  expect(services.map(({ address, port, backends }) => [address, port, backends])).toEqual([
    ["10.0.0.50", 9000, [{ node: "node2", address: "10.0.0.12", port: 9000 }]],
    ["10.0.0.50", 9001, [{ node: "node2", address: "10.0.0.12", port: 9001 }]],
  ]);
  expect(services.flatMap(({ routes }) => routes).map(({ check }) => check.backMs)).toEqual([0, 0, 0]);
});

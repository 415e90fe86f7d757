import type { BalancedService, HealthCheck } from "../../../src/vip/balancer/types.ts";

const check: HealthCheck = { everyMs: 1000, timeoutMs: 15_000, backMs: 0 };
const nodes = [
  { node: "node1", address: "10.0.0.11" },
  { node: "node2", address: "10.0.0.12" },
];

/** Reads apart from writes, and a health page on another port. */
export const store: BalancedService = {
  name: "store",
  address: "10.0.0.50",
  port: 9000,
  mode: "http",
  algorithm: "leastconn",
  routes: [
    { name: "read", methods: ["GET", "HEAD"], check: { ...check, path: "/health/read", port: 9100 } },
    { name: "write", check: { ...check, path: "/health", backMs: 20_000 } },
  ],
  backends: nodes.map((node) => ({ ...node, port: 9000 })),
};

export const tcp: BalancedService = {
  name: "portal",
  address: "10.0.0.20",
  port: 80,
  mode: "tcp",
  algorithm: "roundrobin",
  routes: [{ name: "all", check }],
  backends: nodes.map((node) => ({ ...node, port: 8033 })),
};

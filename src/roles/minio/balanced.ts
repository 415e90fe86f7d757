import type { BalancedService, HealthCheck } from "../../vip/balancer/types.ts";
import { consolePort, s3Port } from "./layout.ts";

const check = {
  everyMs: 1_000,
  // When a node has lost its power, the others answer so late while they look for it; they are well.
  timeoutMs: 15_000,
  backMs: 200,
} as const;

/**
 * Where a store comes back to its write quorum, it says so seconds before it takes a write again [tried, 2 × 3: 200 after
 * 1.5 s, writes after 15 s].
 */
const slowBackMs = 20_000;

/**
 * What is served at the VIP: S3, reads apart from writes, because a store without write quorum still reads and would let
 * a DELETE hang for minutes, where now it is refused at once; and the console. Pure.
 * @param losesWrites whether the loss of one node takes the write quorum away
 */
export function balancedServices(store: {
  vip: string;
  nodes: readonly { name: string; address: string }[];
  losesWrites: boolean;
}): BalancedService[] {
  const at = (port: number) => store.nodes.map(({ name, address }) => ({ node: name, address, port }));
  const reads: HealthCheck = { ...check, path: "/minio/health/cluster/read" };
  const writes: HealthCheck = {
    ...check,
    path: "/minio/health/cluster",
    backMs: store.losesWrites ? slowBackMs : check.backMs,
  };
  return [
    {
      name: "minio",
      address: store.vip,
      port: s3Port,
      mode: "http",
      algorithm: "leastconn",
      routes: [
        { name: "read", methods: ["GET", "HEAD", "OPTIONS"], check: reads },
        { name: "write", check: writes },
      ],
      backends: at(s3Port),
    },
    {
      name: "minio-console",
      address: store.vip,
      port: consolePort,
      mode: "http",
      algorithm: "roundrobin",
      routes: [{ name: "all", check: { ...reads, port: s3Port } }],
      backends: at(consolePort),
    },
  ];
}

import type { Backend, BalancedService, HealthCheck } from "../../vip/balancer/types.ts";
import { consolePort, s3Port } from "./layout.ts";

const check = {
  everyMs: 1_000,
  // When a node has lost its power, the others answer so late while they look for it; they are well.
  timeoutMs: 15_000,
  // A server that comes back looks for the others' drives every 15 s, and says before that it is well. Until it has found
  // them all it says of objects that are there that they are not, and that it has deleted those that it did not find; of a
  // store that comes back to its write quorum (2 × 3) it refuses writes [all tried].
  backMs: 20_000,
} as const;

/** As the balancer calls what is served at the VIP. */
export const serviceNames = { s3: "minio", console: "minio-console" } as const;

interface StoreNode {
  name: string;
  address: string;
}

/**
 * What is served at the VIP: S3, reads apart from writes, because a store without write quorum still reads and would let
 * a DELETE hang for minutes, where now it is refused at once; and the console. Pure.
 */
export function balancedServices(store: { vip: string; nodes: readonly StoreNode[] }): BalancedService[] {
  return services(store.vip, check, (port) =>
    store.nodes.map(({ name, address }) => ({ node: name, address, port })),
  );
}

/**
 * The same of one of two stores that copy to each other: whoever has the VIP answers from its own store, and who may have
 * the VIP is the guard's to say. Pure.
 */
export function mirroredServices(vip: string, { name, address }: StoreNode): BalancedService[] {
  return services(vip, { ...check, timeoutMs: 5_000, backMs: 0 }, (port) => [{ node: name, address, port }]);
}

function services(
  vip: string,
  check: Omit<HealthCheck, "path">,
  at: (port: number) => Backend[],
): BalancedService[] {
  const reads: HealthCheck = { ...check, path: "/minio/health/cluster/read" };
  const writes: HealthCheck = { ...check, path: "/minio/health/cluster" };
  return [
    {
      name: serviceNames.s3,
      address: vip,
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
      name: serviceNames.console,
      address: vip,
      port: consolePort,
      mode: "http",
      algorithm: "roundrobin",
      routes: [{ name: "all", check: { ...reads, port: s3Port } }],
      backends: at(consolePort),
    },
  ];
}

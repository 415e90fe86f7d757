import { createHash } from "node:crypto";

/** VRRP virtual router ids are one byte, 0 is reserved (RFC 9568 §5.2.3). */
export const vridCount = 255;

/**
 * The VRID of a named instance: every node derives the same one, and adding a VIP never renumbers another.
 * Clusters differ by their base, instances of one cluster by a distance that depends on the name alone,
 * so whether two names collide is the same in every cluster: `vipInstances` refuses such a pair.
 * @param base `cluster.vrid_base`, for a cluster whose derived ids are taken on its network
 */
export function virtualRouterId(clusterId: string, name: string, base?: number): number {
  const from = base ?? 1 + (hash(clusterId) % vridCount);
  return 1 + ((from - 1 + distance(name)) % vridCount);
}

function distance(name: string): number {
  return hash(`instance ${name}`) % vridCount;
}

function hash(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0);
}

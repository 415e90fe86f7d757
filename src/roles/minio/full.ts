import { statfs } from "node:fs/promises";
import { mountedAt } from "../../host/mounts.ts";
import { givenDisks } from "./given.ts";

/**
 * The engine stores nothing that does not fit on each drive of a set, in the share that each gets (`hasSpaceFor` in MinIO's
 * object-api-utils.go; seen), says of such a drive that it is well, and goes on reading and deleting.
 */
const leastShare = 0.01;

/** The places of this node's drives that are full. @throws Error where one cannot be asked */
export async function fullDrives(): Promise<string[]> {
  const mounted = givenDisks().filter(({ at }) => mountedAt(at) !== undefined);
  return (await Promise.all(mounted.map(async ({ at }) => (isFull(await statfs(at)) ? [at] : [])))).flat();
}

/** Pure: as statfs(2) tells. */
export function isFull({ bavail, blocks }: { bavail: number; blocks: number }): boolean {
  return bavail < blocks * leastShare;
}

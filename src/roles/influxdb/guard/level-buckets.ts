import { createBucket, listBuckets } from "../buckets.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";

/** A bucket that one of them lacks is made there as the other one has it. @throws ChimeError `influxdb.*` */
export async function levelBuckets(mine: Server, other: Server, limits: Limits): Promise<void> {
  const [here = [], there = []] = await Promise.all(
    [mine, other].map((server) => listBuckets(server, limits)),
  );
  for (const [server, own, theirs] of [
    [mine, here, there],
    [other, there, here],
  ] as const) {
    const orgId = own[0]?.orgId ?? "";
    const missing = theirs.filter(({ name }) => !own.some((bucket) => bucket.name === name));
    for (const { name, retentionSeconds, shardSeconds } of missing) {
      await createBucket(server, { orgId, name, retentionSeconds, shardSeconds }, limits);
    }
  }
}

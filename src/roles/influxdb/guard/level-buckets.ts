import { createBucket, isShorter, listBuckets } from "../buckets.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import type { InfluxdbBucket } from "../../../spec/types.ts";
import { probeBucket } from "../layout.ts";
import { organisationId } from "../organisation.ts";

/**
 * Buckets that this node's server lacks are made as the other one has them, whether somebody made them there alone or deleted
 * them here. The other one makes its own.
 * @param note told of each before it is made: it may lack points of any time
 * @throws ChimeError `influxdb.*`
 */
export async function levelBuckets(
  mine: Server,
  other: Server,
  limits: Limits,
  note: (bucket: string) => Promise<void>,
): Promise<void> {
  const [here = [], there = []] = await Promise.all(
    [mine, other].map((server) => listBuckets(server, limits)),
  );
  const missing = there
    .filter(({ name }) => name !== probeBucket.name)
    .filter(({ name }) => !here.some((bucket) => bucket.name === name));
  if (missing.length === 0) return;
  const orgId = (await organisationId(mine, limits)) ?? "";
  for (const { name, retentionSeconds, shardSeconds } of missing) {
    await note(name);
    await createBucket(mine, { orgId, name, retentionSeconds, shardSeconds }, limits);
  }
}

/**
 * Those of the buckets that this node's server lacks, or has kept for a shorter time, and the other one has, or may have: it is
 * away.
 * @throws ChimeError `influxdb.*` of this node's server
 */
export async function lackedBuckets(
  wanted: readonly InfluxdbBucket[],
  mine: Server,
  other: Server | undefined,
  limits: Limits,
): Promise<string[]> {
  const [here, there] = await Promise.all([
    listBuckets(mine, limits),
    other && listBuckets(other, limits).catch(() => undefined),
  ]);
  const isLacked = (bucket: InfluxdbBucket) => {
    const now = here.find(({ name }) => name === bucket.name);
    return !now || isShorter(now, bucket);
  };
  return wanted
    .filter(isLacked)
    .map(({ name }) => name)
    .filter((wanted) => there?.some(({ name }) => name === wanted) ?? true);
}

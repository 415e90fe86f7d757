import { refused } from "../../../core/errors.ts";
import { databaseOf, listBuckets, type Bucket } from "../buckets.ts";
import type { Limits } from "../../http.ts";
import { whereOf, type Server } from "../client.ts";
import type { Database } from "../influxql.ts";

/** A bucket on one of the twins. */
export interface Side {
  server: Server;
  bucket: Bucket;
  database: Database;
}

/** A bucket that both twins have, and should hold the same in. */
export interface Pair {
  name: string;
  mine: Side;
  other: Side;
}

/** Which of the two. */
export type Which = "mine" | "other";

export const which = ["mine", "other"] as const;

export function opposite(one: Which): Which {
  return one === "mine" ? "other" : "mine";
}

/**
 * The buckets of both, by name. What one would not hold as long as the other one is not to be compared.
 * @param ignored buckets of which each server has its own
 * @throws ChimeError `influxdb.bucket_missing`, `influxdb.retention_differs` (exit 3), `influxdb.*`
 */
export async function pairBuckets(
  mine: Server,
  other: Server,
  ignored: readonly string[],
  limits: Limits,
): Promise<Pair[]> {
  const listed = await Promise.all(
    [mine, other].map(async (server) => {
      const buckets = await listBuckets(server, limits);
      return new Map(buckets.map((bucket) => [bucket.name, bucket]));
    }),
  );
  const [ofMine, ofOther] = listed as [Map<string, Bucket>, Map<string, Bucket>];
  const names = [...new Set([...ofMine.keys(), ...ofOther.keys()])].filter((name) => !ignored.includes(name));
  return Promise.all(
    names.sort().map(async (name) => {
      const one = requireBucket(mine, name, ofMine.get(name));
      const another = requireBucket(other, name, ofOther.get(name));
      if (one.retentionSeconds !== another.retentionSeconds) {
        throw refused(
          "influxdb.retention_differs",
          `bucket ${name} is kept for ${one.retentionSeconds} s by ${whereOf(mine)}, and for ${another.retentionSeconds} s by ${whereOf(other)}`,
          "influx bucket update --retention on one of them; what roles.influxdb names: chime-node apply --role influxdb",
        );
      }
      const [onMine, onOther] = await Promise.all([
        sideOf(mine, one, limits),
        sideOf(other, another, limits),
      ]);
      return { name, mine: onMine, other: onOther };
    }),
  );
}

function requireBucket(server: Server, name: string, bucket: Bucket | undefined): Bucket {
  if (bucket) return bucket;
  throw refused(
    "influxdb.bucket_missing",
    `${whereOf(server)} has no bucket ${name}`,
    "chime-node apply --role influxdb",
  );
}

async function sideOf(server: Server, bucket: Bucket, limits: Limits): Promise<Side> {
  return { server, bucket, database: await databaseOf(server, bucket, limits) };
}

/** How long the shards of both are, ms. */
export function shardLengths({ mine, other }: Pair): number[] {
  return [...new Set([mine, other].map(({ bucket }) => bucket.shardSeconds * 1000))].filter((ms) => ms > 0);
}

import { ChimeError, refused } from "../../../core/errors.ts";
import { databaseOf, keptFor, listBuckets, type Bucket } from "../buckets.ts";
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

/** Which buckets are looked at. */
export interface Wanted {
  /** Each server has its own of these. */
  ignored?: readonly string[];
  /** Default: all others. */
  only?: string | undefined;
}

/** A bucket that cannot be compared, or not all of it, and why: the others can. */
export interface Held {
  bucket: string;
  /** `influxdb.bucket_missing`, `influxdb.retention_differs` (exit 3), `influxdb.no_database`, `influxdb.unaskable` (all else of it is compared) */
  why: ChimeError;
}

const holding = new Set(["influxdb.bucket_missing", "influxdb.retention_differs", "influxdb.no_database"]);

/**
 * The buckets of both, by name. What one would not hold as long as the other one is not to be compared.
 * @throws ChimeError `influxdb.*`
 */
export async function pairBuckets(
  mine: Server,
  other: Server,
  { ignored = [], only }: Wanted,
  limits: Limits,
): Promise<{ pairs: Pair[]; held: Held[] }> {
  const listed = await Promise.all(
    [mine, other].map(async (server) => {
      const buckets = await listBuckets(server, limits);
      return new Map(buckets.map((bucket) => [bucket.name, bucket]));
    }),
  );
  const [ofMine, ofOther] = listed as [Map<string, Bucket>, Map<string, Bucket>];
  const names = [...new Set([...ofMine.keys(), ...ofOther.keys()])].filter(
    (name) => !ignored.includes(name) && (only === undefined || only === name),
  );
  const pairs: Pair[] = [];
  const held: Held[] = [];
  for (const name of names.sort()) {
    try {
      const one = requireBucket(mine, name, ofMine.get(name));
      const another = requireBucket(other, name, ofOther.get(name));
      requireSameRetention(mine, one, other, another);
      const sides = [sideOf(mine, one, limits), sideOf(other, another, limits)] as const;
      const [onMine, onOther] = await Promise.all(sides);
      pairs.push({ name, mine: onMine, other: onOther });
    } catch (error) {
      if (!(error instanceof ChimeError && holding.has(error.code))) throw error;
      held.push({ bucket: name, why: error });
    }
  }
  return { pairs, held };
}

function requireSameRetention(mine: Server, one: Bucket, other: Server, another: Bucket): void {
  if (one.retentionSeconds === another.retentionSeconds) return;
  throw refused(
    "influxdb.retention_differs",
    `bucket ${one.name} keeps points ${keptFor(one)} on ${whereOf(mine)}, and ${keptFor(another)} on ${whereOf(other)}`,
    `if roles.influxdb names ${one.name}: chime-node apply --role influxdb on both; else, on one of them: influx bucket update --id ID --retention TIME (the ID: influx bucket list --name ${one.name})`,
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

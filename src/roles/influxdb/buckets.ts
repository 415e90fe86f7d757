import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { askJson, askWell, whereOf, type Server } from "./client.ts";
import type { Database } from "./influxql.ts";

const bucketSchema = v.object({
  id: v.string(),
  orgID: v.optional(v.string(), ""),
  name: v.string(),
  type: v.optional(v.string(), "user"),
  retentionRules: v.optional(
    v.array(
      v.object({
        everySeconds: v.optional(v.number(), 0),
        shardGroupDurationSeconds: v.optional(v.number(), 0),
      }),
    ),
    [],
  ),
});

export interface Bucket {
  id: string;
  orgId: string;
  name: string;
  /** 0: for ever. */
  retentionSeconds: number;
  /** Points of so long lie in one shard, which has one type a field. */
  shardSeconds: number;
}

/** Keeps points for a shorter time than the other one. Pure. */
export function isShorter(
  one: Pick<Bucket, "retentionSeconds">,
  other: Pick<Bucket, "retentionSeconds">,
): boolean {
  return span(one) < span(other);
}

const span = ({ retentionSeconds }: Pick<Bucket, "retentionSeconds">): number =>
  retentionSeconds === 0 ? Number.POSITIVE_INFINITY : retentionSeconds;

/** For people and messages. Pure. */
export const keptFor = ({ retentionSeconds }: Pick<Bucket, "retentionSeconds">): string =>
  retentionSeconds === 0 ? "for ever" : `for ${retentionSeconds / 3_600} h`;

const pageSize = 100;

/** All but the server's own (`_tasks`, `_monitoring`). @throws ChimeError `influxdb.*` */
export async function listBuckets(server: Server, limits: Limits): Promise<Bucket[]> {
  const schema = v.object({ buckets: v.array(bucketSchema) });
  const all: Bucket[] = [];
  let after = "";
  for (;;) {
    const query = { org: server.org, limit: String(pageSize), ...(after && { after }) };
    const asked = { method: "GET", path: "/api/v2/buckets", query } as const;
    const { buckets } = await askJson(server, asked, schema, limits);
    all.push(...buckets.filter(({ type }) => type !== "system").map(toBucket));
    after = buckets.at(-1)?.id ?? "";
    if (buckets.length < pageSize) return all;
  }
}

/** @throws ChimeError `influxdb.missing` where there is none of that name, `influxdb.*` */
export async function findBucket(server: Server, name: string, limits: Limits): Promise<Bucket> {
  const schema = v.object({ buckets: v.array(bucketSchema) });
  const query = { org: server.org, name };
  const asked = { method: "GET", path: "/api/v2/buckets", query } as const;
  const { buckets } = await askJson(server, asked, schema, limits);
  const [found] = buckets;
  if (found) return toBucket(found);
  throw failed("influxdb.missing", `${whereOf(server)} has no bucket ${name}`, {
    remedy: "chime-node apply --role influxdb",
  });
}

interface Wanted {
  orgId: string;
  name: string;
  retentionSeconds: number;
  /** Default: what the server makes of the retention. */
  shardSeconds?: number;
}

/** @throws ChimeError `influxdb.*` */
export async function createBucket(server: Server, wanted: Wanted, limits: Limits): Promise<Bucket> {
  const body = JSON.stringify({ orgID: wanted.orgId, name: wanted.name, retentionRules: rules(wanted) });
  const asked = { method: "POST", path: "/api/v2/buckets", body, once: true } as const;
  return toBucket(await askJson(server, asked, bucketSchema, limits));
}

/** A shorter retention drops what is older, for good. @throws ChimeError `influxdb.*` */
export async function setRetention(
  server: Server,
  id: string,
  wanted: Omit<Wanted, "orgId" | "name">,
  limits: Limits,
): Promise<void> {
  const body = JSON.stringify({ retentionRules: rules(wanted) });
  await askWell(server, { method: "PATCH", path: `/api/v2/buckets/${id}`, body }, limits);
}

function rules({ retentionSeconds, shardSeconds }: Pick<Wanted, "retentionSeconds" | "shardSeconds">) {
  return [
    {
      type: "expire",
      everySeconds: retentionSeconds,
      ...(shardSeconds && { shardGroupDurationSeconds: shardSeconds }),
    },
  ];
}

function toBucket({ id, orgID, name, retentionRules }: v.InferOutput<typeof bucketSchema>): Bucket {
  const [rule] = retentionRules;
  return {
    id,
    orgId: orgID,
    name,
    retentionSeconds: rule?.everySeconds ?? 0,
    shardSeconds: rule?.shardGroupDurationSeconds ?? 0,
  };
}

const dbrpsSchema = v.object({
  content: v.optional(
    v.nullable(
      v.array(v.object({ database: v.string(), retention_policy: v.string(), bucketID: v.string() })),
    ),
    [],
  ),
});

/**
 * What InfluxQL calls a bucket by. The server makes one up from its name for each that was given none.
 * @throws ChimeError `influxdb.no_database`, `influxdb.*`
 */
export async function databaseOf(server: Server, { id, name }: Bucket, limits: Limits): Promise<Database> {
  const query = { org: server.org, bucketID: id };
  const asked = { method: "GET", path: "/api/v2/dbrps", query } as const;
  const { content } = await askJson(server, asked, dbrpsSchema, limits);
  const found = content?.find(({ bucketID }) => bucketID === id);
  if (found) return { db: found.database, rp: found.retention_policy };
  throw failed("influxdb.no_database", `${whereOf(server)} has no InfluxQL name for its bucket ${name}`, {
    remedy: `influx v1 dbrp create --bucket-id ${id} --db ${name} --rp autogen`,
  });
}

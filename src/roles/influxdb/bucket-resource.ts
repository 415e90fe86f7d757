import { systemClock } from "../../core/clock.ts";
import { ChimeError } from "../../core/errors.ts";
import { until } from "../../core/until.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { ApplyContext, Kind, Resource } from "../../resources/types.ts";
import type { InfluxdbBucket } from "../../spec/types.ts";
import type { RoleContext } from "../types.ts";
import { createBucket, isShorter, keptFor, listBuckets, setRetention, type Bucket } from "./buckets.ts";
import type { Limits } from "../http.ts";
import type { Server } from "./client.ts";
import { influxdbSpec, probeBucket, roleName } from "./layout.ts";
import { organisationId } from "./organisation.ts";
import { ownServer } from "./servers.ts";
import { isUp } from "./setup.ts";

const timeoutMs = 20_000;
/** A server that was just started reads its shards before it answers. */
const startMs = 60_000;
const lookEveryMs = 100;
/** To look, which `status` does, too. */
const lookLimits: Limits = { timeoutMs: 2_000 };
/** It cannot be asked now, and what is in it stays as it is. */
const silent = new Set(["influxdb.unreachable", "influxdb.timeout", "influxdb.starting"]);

/** The buckets of the spec with their retention, on this node's own server. Others are left alone. */
export function buckets(context: RoleContext, needs: readonly string[]): Resource {
  const { buckets: wanted } = influxdbSpec(context);
  const id = "influxdb:buckets";
  const desired = fingerprint({ wanted });
  return {
    id,
    needs,
    desired,
    async inspect({ ledger }) {
      const server = await ownServer(context);
      const steps = await missing(server, wanted, lookLimits).catch((error: unknown) => {
        if (!(error instanceof ChimeError && silent.has(error.code))) throw error;
        return ledger.reached(id) === desired ? [] : wanted.map((bucket) => ({ bucket, now: undefined }));
      });
      if (steps.length === 0) return undefined;
      return {
        action: steps.some(({ now }) => !now) ? "create" : "update",
        // What is older than a shorter retention is gone for good.
        impact: steps.some(({ bucket, now }) => now && isShorter(bucket, now)) ? "data" : "none",
        diff: steps.map(line).join("\n"),
        async apply(run) {
          await run.ledger.before(id, null);
          await untilUp(server, run);
          await tellGuard(run);
          run.progress(`making the buckets ${wanted.map(({ name }) => name).join(", ")}`);
          await ensureBuckets(server, wanted, { timeoutMs, signal: run.signal });
        },
      };
    },
  };
}

/** It may have been started by the same run. One that does not come up is told by what is asked of it next. */
async function untilUp(server: Server, { signal, progress }: Pick<ApplyContext, "signal" | "progress">) {
  await until(systemClock, { limitMs: startMs, everyMs: lookEveryMs, signal }, async () => {
    const isThere = await isUp(server, { ...lookLimits, signal });
    if (!isThere) progress("waiting for the server to answer");
    return isThere;
  });
}

/**
 * The guard's command: buckets that the server lacks are about to be made, or kept for longer. One that somebody deleted is
 * empty then, and what was dropped before is missing then; nothing else would say so.
 */
export const makingMethod = "making";

/** Where no guard runs there were no points; one of an older version makes nothing of it. */
async function tellGuard({ ask }: Pick<ApplyContext, "ask">): Promise<void> {
  await ask(roleName, makingMethod).catch((error: unknown) => {
    if (!(error instanceof ChimeError && unheard.has(error.code))) throw error;
  });
}

const unheard = new Set(["role.not_here", "guard.unknown_command"]);

/** Also the bucket in which the nodes prove that points go in and out. @throws ChimeError `influxdb.*` */
export async function ensureBuckets(
  server: Server,
  wanted: readonly InfluxdbBucket[],
  limits: Limits,
): Promise<void> {
  const steps = difference([...wanted, probeBucket], await listBuckets(server, limits));
  const orgId = steps.some(({ now }) => !now) ? ((await organisationId(server, limits)) ?? "") : "";
  for (const { bucket, now } of steps) {
    if (!now) await createBucket(server, { orgId, ...bucket }, limits);
    else await setRetention(server, now.id, fitting(bucket, now), limits);
  }
}

const hour = 3_600;

/** The server refuses a time that is shorter than its shards: they become as long as it makes them for such a time [tried]. */
function fitting({ retentionSeconds }: InfluxdbBucket, { shardSeconds }: Bucket) {
  const isTooShort = retentionSeconds > 0 && retentionSeconds < shardSeconds;
  return {
    retentionSeconds,
    ...(isTooShort && { shardSeconds: retentionSeconds < 48 * hour ? hour : 24 * hour }),
  };
}

interface Step {
  bucket: InfluxdbBucket;
  /** Undefined: there is none. */
  now: Bucket | undefined;
}

async function missing(server: Server, wanted: readonly InfluxdbBucket[], limits: Limits): Promise<Step[]> {
  return difference(wanted, await listBuckets(server, limits));
}

function difference(wanted: readonly InfluxdbBucket[], all: readonly Bucket[]): Step[] {
  return wanted.flatMap((bucket) => {
    const now = all.find(({ name }) => name === bucket.name);
    return now?.retentionSeconds === bucket.retentionSeconds ? [] : [{ bucket, now }];
  });
}

function line({ bucket, now }: Step): string {
  const kept = keptFor(bucket);
  if (!now) return `+ the bucket ${bucket.name}, which keeps points ${kept}`;
  const loss = isShorter(bucket, now) ? ": older ones are deleted for good" : "";
  return `~ the bucket ${bucket.name} keeps points ${keptFor(now)} → ${kept}${loss}`;
}

/** They are in the server, and stay there with their points. */
export const influxdbKind: Kind = {
  name: "influxdb",
  undo: () => Promise.resolve(),
};

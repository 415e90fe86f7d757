import * as v from "valibot";
import { ChimeError, failed, refused } from "../../../core/errors.ts";
import { askJson } from "../admin.ts";
import { listBuckets } from "../s3.ts";
import { seal } from "../sealed.ts";
import { originOf, type Limits } from "../../http.ts";
import type { Asked, Store } from "../store.ts";

/** A store that copies what is written to it to the others, a moment later, and takes what is written to them. */
export interface Site {
  /** The node's. */
  name: string;
  /** As root, under the address and name that the other stores reach it at, too. */
  store: Store;
}

const infoSchema = v.object({
  enabled: v.boolean(),
  sites: v.optional(
    v.array(v.object({ name: v.string(), endpoint: v.string(), deploymentID: v.string() })),
    [],
  ),
});
const storeSchema = v.object({ deploymentID: v.string() });
const addedSchema = v.object({
  success: v.optional(v.boolean(), false),
  status: v.optional(v.string(), ""),
  errorDetail: v.optional(v.string(), ""),
});
const statusSchema = v.object({
  Metrics: v.object({
    replMetrics: v.nullish(v.record(v.string(), v.object({ isOnline: v.optional(v.boolean(), false) }))),
  }),
});
const leftSchema = v.object({ status: v.optional(v.string(), ""), errorDetail: v.optional(v.string(), "") });
const resyncSchema = v.object({ status: v.string(), errorDetail: v.optional(v.string(), "") });

/** Of all calls. */
const version = { "api-version": "1" };

async function call<T>(
  store: Store,
  what: string,
  schema: v.GenericSchema<unknown, T>,
  asked: Omit<Asked, "path" | "maxBytes">,
  limits: Limits,
): Promise<T> {
  const name = `site-replication/${what}`;
  return askJson(store, name, schema, { ...asked, query: { ...version, ...asked.query } }, limits);
}

/** Which deployment answers there: a store on new disks is another one, whatever it is called. */
async function deploymentOf(store: Store, limits: Limits): Promise<string> {
  return (await askJson(store, "info", storeSchema, { method: "GET" }, limits)).deploymentID;
}

/** Whether every one of them knows all of them, as they are now, and nobody else. */
export async function isMirrored(sites: readonly Site[], limits: Limits): Promise<boolean> {
  const deployments = await Promise.all(sites.map(({ store }) => deploymentOf(store, limits)));
  const wanted = sites.map(({ name, store }, i) => `${name} ${originOf(store)} ${deployments[i]}`).sort();
  const known = await Promise.all(sites.map(({ store }) => knownBy(store, limits)));
  return known.every(
    (each) =>
      each
        .map((site) => `${site.name} ${site.endpoint} ${site.deploymentID}`)
        .sort()
        .join("\n") === wanted.join("\n"),
  );
}

async function knownBy(store: Store, limits: Limits) {
  return (await call(store, "info", infoSchema, { method: "GET" }, limits)).sites;
}

/**
 * Has each of these stores copy to the others, which switches versioning on for all buckets. Only one may hold data
 * beforehand; the others get it. A store that was replaced by an empty one under its old name is taken for what it is.
 * @returns false where nothing had to be done
 * @throws ChimeError `minio.two_with_data` (exit 3), `minio.*`
 */
export async function ensureMirror(sites: readonly Site[], limits: Limits): Promise<boolean> {
  if (await isMirrored(sites, limits)) return false;
  const buckets = await Promise.all(sites.map(({ store }) => listBuckets(store, limits)));
  const full = sites.filter((_, i) => buckets[i]?.length);
  if (full.length > 1) {
    throw refused(
      "minio.two_with_data",
      `${full.map(({ name }) => name).join(" and ")} hold data that is not of one store: which one is right is not to be guessed`,
      "move one's objects away and remove its buckets, then chime-node apply --role minio",
    );
  }
  // What is asked elsewhere is refused: the data is copied from where the request arrives.
  const [first] = full.length > 0 ? full : sites;
  if (!first) return false;
  for (const { name, store } of sites) await leaveMirror(name, store, limits);
  const { secretKey } = first.store.credentials;
  const peers = sites.map(({ name, store }) => ({ name, endpoints: originOf(store), ...store.credentials }));
  const body = await seal(secretKey, JSON.stringify(peers));
  const added = await call(first.store, "add", addedSchema, { method: "PUT", body }, limits);
  if (!added.success) {
    throw failed("minio.mirror", `${first.name} does not mirror: ${added.errorDetail || added.status}`);
  }
  if (full.length > 0) await copyAll(first, limits);
  return true;
}

/** What was there before the mirror is not copied by itself. Goes on after the answer, and after a restart. */
async function copyAll({ name, store }: Site, limits: Limits): Promise<void> {
  const own = await deploymentOf(store, limits);
  const query = { operation: "start" };
  for (const peer of await knownBy(store, limits)) {
    if (peer.deploymentID === own) continue;
    const asked = { method: "PUT", query, body: JSON.stringify(peer) } as const;
    const { status, errorDetail } = await call(store, "resync/op", resyncSchema, asked, limits);
    if (status === "Failed") {
      throw failed("minio.mirror", `${name} does not copy what it has to ${peer.name}: ${errorDetail}`);
    }
  }
}

/** Forgets a mirror that is no more what it was: its other half has new disks, and the old one comes never again. */
export async function leaveMirror(name: string, store: Store, limits: Limits): Promise<void> {
  if ((await knownBy(store, limits)).length === 0) return;
  const body = JSON.stringify({ all: true });
  const { errorDetail, status } = await call(store, "remove", leftSchema, { method: "PUT", body }, limits);
  // It says so too where the other half could not be told, which is as it should be.
  if ((await knownBy(store, limits)).length > 0) {
    throw failed("minio.mirror", `${name} does not leave its old mirror: ${errorDetail || status}`);
  }
}

/**
 * Whether this store is one of several that copy to each other, and whether it reached the others lately. How much is on
 * its way nobody knows: what the store says of its queue is neither up to date nor ever empty again.
 */
export async function mirrorState(
  store: Store,
  limits: Limits,
): Promise<{ enabled: boolean; reached: boolean }> {
  const { enabled } = await call(store, "info", infoSchema, { method: "GET" }, limits);
  return { enabled, reached: enabled && (await reachesOthers(store, limits)) };
}

/** It asks them, and fails where one refuses: that is another store than it knows. */
async function reachesOthers(store: Store, limits: Limits): Promise<boolean> {
  const asked = { method: "GET", query: { metrics: "true" } } as const;
  const answer = await call(store, "status", statusSchema, asked, limits).catch((error: unknown) => {
    if (error instanceof ChimeError && error.code === "minio.refused") return undefined;
    throw error;
  });
  return (
    answer !== undefined && Object.values(answer.Metrics.replMetrics ?? {}).every(({ isOnline }) => isOnline)
  );
}

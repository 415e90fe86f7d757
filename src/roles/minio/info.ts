import * as v from "valibot";
import { askJson } from "./admin.ts";
import type { Limits, Store } from "./store.ts";

const count = v.optional(v.pipe(v.number(), v.minValue(0)), 0);

const healSchema = v.object({
  /** RFC 3339. */
  started: v.optional(v.string(), ""),
  objects_total_count: count,
  items_healed: count,
  items_failed: count,
  bytes_done: count,
  finished: v.optional(v.boolean(), false),
});

const driveSchema = v.object({
  /** `http://node1:9000/minio/disk1`, or the path on a store of one node. */
  endpoint: v.optional(v.string(), ""),
  path: v.optional(v.string(), ""),
  /** `ok`; else `offline`, `corrupt`, `missing`, `permission-denied`, `faulty`, `root-mount`, `unknown`, `unformatted`. */
  state: v.optional(v.string(), "unknown"),
  uuid: v.optional(v.string(), ""),
  healing: v.optional(v.boolean(), false),
  heal_info: v.nullish(healSchema),
  /** Bytes; 0 where the drive does not answer. */
  totalspace: count,
  usedspace: count,
  availspace: count,
  /** Which erasure set it is in; -1 where it is in none yet. */
  set_index: v.optional(v.number(), -1),
});

const serverSchema = v.object({
  /** `online`, `offline` or `initializing`. */
  state: v.optional(v.string(), "unknown"),
  /** `node1.chime.com:9000` */
  endpoint: v.optional(v.string(), ""),
  version: v.optional(v.string(), ""),
  /** s */
  uptime: count,
  drives: v.optional(v.pipe(v.array(driveSchema), v.maxLength(1024)), []),
});

const infoSchema = v.object({
  /** `online` or `initializing`. */
  mode: v.optional(v.string(), "unknown"),
  deploymentID: v.optional(v.string(), ""),
  backend: v.optional(
    v.object({
      onlineDisks: count,
      offlineDisks: count,
      standardSCParity: count,
    }),
    {},
  ),
  servers: v.optional(v.pipe(v.array(serverSchema), v.maxLength(1024)), []),
});

/** The engine's own words: one server a node, each with all drives that the layout gives it. */
export type StoreInfo = v.InferOutput<typeof infoSchema>;

/** What the store knows of its servers and drives. Asked through one server, it takes a second or more for each that is silent. */
export async function storeInfo(store: Store, limits: Limits): Promise<StoreInfo> {
  return askJson(store, "info", infoSchema, { method: "GET" }, limits);
}

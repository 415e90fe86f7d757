import * as v from "valibot";
import { askJson } from "./admin.ts";
import type { Limits } from "../http.ts";
import type { Store } from "./store.ts";

const count = v.optional(v.pipe(v.number(), v.minValue(0)), 0);

const healSchema = v.object({
  objects_total_count: count,
  items_healed: count,
  bytes_done: count,
});

const driveSchema = v.object({
  /** `http://node1:9000/minio/disk1`, or the path on a store of one node. */
  endpoint: v.optional(v.string(), ""),
  path: v.optional(v.string(), ""),
  /** `ok`; else `offline`, `corrupt`, `missing`, `permission-denied`, `faulty`, `root-mount`, `unknown`, `unformatted`. */
  state: v.optional(v.string(), "unknown"),
  healing: v.optional(v.boolean(), false),
  heal_info: v.nullish(healSchema),
  /** Bytes; 0 where the drive does not answer. */
  totalspace: count,
  availspace: count,
});

const serverSchema = v.object({
  /** `node1.chime.com:9000` */
  endpoint: v.optional(v.string(), ""),
  drives: v.optional(v.pipe(v.array(driveSchema), v.maxLength(1024)), []),
});

const infoSchema = v.object({
  servers: v.optional(v.pipe(v.array(serverSchema), v.maxLength(1024)), []),
});

/** The engine's own words: one server a node, each with all drives that the layout gives it. */
export type StoreInfo = v.InferOutput<typeof infoSchema>;

/** What the store knows of its servers and drives. Asked through one server, it takes a second or more for each that is silent. */
export async function storeInfo(store: Store, limits: Limits): Promise<StoreInfo> {
  return askJson(store, "info", infoSchema, { method: "GET" }, limits);
}

import * as v from "valibot";
import { askAdmin, askJson } from "./admin.ts";
import type { Limits } from "../http.ts";
import type { Store } from "./store.ts";

const locks = v.pipe(
  v.nullable(
    v.array(
      v.object({
        /** `bucket/key` */
        resource: v.string(),
        /** The server that asked for it, as the layout names it: `minio1.chime.com:9000`. */
        owner: v.string(),
        /** RFC 3339: when it was given. */
        time: v.pipe(v.string(), v.isoTimestamp()),
      }),
    ),
  ),
  v.transform((list) => list ?? []),
);
type Lock = v.InferOutput<typeof locks>[number];

/** More than a store of this kind answers at a time. */
const most = 10_000;

/**
 * Ends the locks of a server that is no more: the other servers keep them for one to two minutes, and whoever tries again
 * what that server was doing waits as long. Only for a server that is known to be gone (its machine has vanished, or its
 * process ended, `before` the one that runs now): what it locked is not protected any more.
 * @returns how many objects were locked
 * @throws ChimeError `minio.*`
 */
export async function releaseLocksOf(
  store: Store,
  owner: string,
  limits: Limits,
  before: number = Number.POSITIVE_INFINITY,
): Promise<number> {
  const query = { stale: "true", count: String(most) };
  const all = await askJson(store, "top/locks", locks, { method: "GET", query }, limits);
  const resources = abandoned(all, owner, before);
  for (const paths of resources) {
    await askAdmin(store, "force-unlock", { method: "POST", query: { paths } }, limits);
  }
  return resources.length;
}

/**
 * Pure: what the owner alone has locked. A lock is ended with all others on the same object: one that somebody else has
 * locked, too, is left for the next time. A comma would be taken for the end of a name.
 */
export function abandoned(all: readonly Lock[], owner: string, before: number): string[] {
  const isGone = (lock: Lock) => lock.owner === owner && Date.parse(lock.time) < before;
  const kept = new Set(all.filter((lock) => !isGone(lock)).map(({ resource }) => resource));
  const gone = all.filter(isGone).map(({ resource }) => resource);
  return [...new Set(gone)].filter((resource) => !kept.has(resource) && !resource.includes(","));
}

import { mountedAt } from "../../../host/mounts.ts";
import { storeInfo, type StoreInfo } from "../info.ts";
import { slotIn } from "../layout.ts";
import type { Published } from "../published.ts";
import type { Limits } from "../../http.ts";
import type { Store } from "../store.ts";

/** What a server knows of all nodes' drives. */
export type Seen = NonNullable<Published["seen"]>;

const isReadOnly = (path: string): boolean => mountedAt(path)?.readOnly === true;

/**
 * @param own this node's place
 * @param placeOf by the server's name; a store of a mirror has one place
 * @throws ChimeError `minio.*`
 */
export async function inquire(
  store: Store,
  own: number | null,
  limits: Limits,
  placeOf = slotIn,
): Promise<Seen> {
  const info = await storeInfo(store, limits);
  return seenIn(info, (slot, path) => slot === own && isReadOnly(path), placeOf);
}

/**
 * Pure. A drive to which nothing can be written stays online for the engine, and nothing is stored on it (tried). Of the
 * free space only each hundredth is told, so that writes alone make no news.
 * @param isSpoilt of this node's drives, by their place in the layout and where they are mounted
 */
export function seenIn(
  { servers }: StoreInfo,
  isSpoilt: (slot: number, path: string) => boolean = () => false,
  placeOf = slotIn,
): Seen {
  const online = servers.flatMap(({ drives }) => drives.filter(({ state }) => state === "ok"));
  const total = online.reduce((sum, drive) => sum + drive.totalspace, 0);
  const free = online.reduce((sum, drive) => sum + drive.availspace, 0);
  const step = Math.max(1, total / 100);
  return {
    nodes: servers.flatMap(({ endpoint, drives }) => {
      const slot = placeOf(endpoint);
      if (slot === undefined) return [];
      const ok = drives.filter(({ state, path }) => state === "ok" && !isSpoilt(slot, path));
      const healing = ok.filter((drive) => drive.healing);
      return [{ slot, drives: { total: drives.length, online: ok.length, healing: healing.length } }];
    }),
    capacity: { total, free: Math.round(Math.floor(free / step) * step) },
  };
}

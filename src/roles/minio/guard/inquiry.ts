import { storeInfo, type StoreInfo } from "../info.ts";
import type { Published } from "../published.ts";
import type { Limits, Store } from "../store.ts";

/** What a server knows of all nodes' drives. */
export type Seen = NonNullable<Published["seen"]>;

/** @throws ChimeError `minio.*` */
export async function inquire(store: Store, limits: Limits): Promise<Seen> {
  return seenIn(await storeInfo(store, limits));
}

/** Pure. Of the free space only each hundredth is told, so that writes alone make no news. */
export function seenIn({ servers }: StoreInfo): Seen {
  const online = servers.flatMap(({ drives }) => drives.filter(({ state }) => state === "ok"));
  const total = online.reduce((sum, drive) => sum + drive.totalspace, 0);
  const free = online.reduce((sum, drive) => sum + drive.availspace, 0);
  const step = Math.max(1, total / 100);
  return {
    nodes: servers.flatMap(({ endpoint, drives }) => {
      const slot = slotIn(endpoint);
      if (slot === undefined) return [];
      const ok = drives.filter(({ state }) => state === "ok");
      const healing = ok.filter((drive) => drive.healing);
      return [{ slot, drives: { total: drives.length, online: ok.length, healing: healing.length } }];
    }),
    capacity: { total, free: Math.round(Math.floor(free / step) * step) },
  };
}

/** `minio2.chime.com:9000` */
function slotIn(endpoint: string): number | undefined {
  const [, slot] = /^minio(\d+)\./.exec(endpoint) ?? [];
  return slot === undefined ? undefined : Number(slot);
}

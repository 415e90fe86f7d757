import { chown, mkdir, readdir } from "node:fs/promises";
import { productPath, type Product } from "../../host/catalog.ts";
import { resolveOwner } from "../../host/users.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import { fileSystemsOwn } from "./copy/places.ts";
import { serverShell } from "./copy/shell.ts";
import { clearData } from "./copy/swap.ts";
import type { Engine } from "./engine/types.ts";
import { readMarker } from "../marker.ts";

/**
 * An empty database where the packages have made none: those of Enterprise Linux leave that to their unit, which gives root
 * a password that stands in a log; others do so when they are installed, and not for a disk that was mounted since.
 */
export function firstData(
  { data, product }: { data: string; product: Product },
  { first }: Pick<Engine, "first">,
  needs: readonly string[],
): Resource {
  const id = `database:${data}`;
  return {
    id,
    needs,
    desired: fingerprint({ data }),
    async inspect({ ledger }) {
      if (await readMarker(data)) return undefined;
      const entries = (await readdir(data).catch(() => [])).filter((entry) => entry !== fileSystemsOwn);
      // What an interrupted run left is ours and incomplete; anything else is somebody's.
      const isLeft = ledger.noted(id) !== undefined && ledger.reached(id) === undefined;
      if (entries.length > 0 && !isLeft) return undefined;
      return {
        action: "create",
        impact: "none",
        diff: `+ an empty database in ${data}; root by the socket alone`,
        async apply({ ledger }) {
          await ledger.before(id, null);
          // A disk that was mounted here is root's.
          const { uid, gid } = await resolveOwner(product.user, product.user);
          await mkdir(data, { recursive: true });
          await chown(data, uid, gid);
          const program = productPath(product, first.program);
          await clearData(data, product.user);
          await serverShell(product.user, first.script, [data, program]);
        },
      };
    },
  };
}

/** It stays with the data, and goes with it. */
export const databaseKind: Kind = {
  name: "database",
  undo: () => Promise.resolve(),
};

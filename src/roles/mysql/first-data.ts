import { readdir } from "node:fs/promises";
import { productPath, type Product } from "../../host/catalog.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import { fileSystemsOwn } from "./copy/places.ts";
import { serverShell } from "./copy/shell.ts";
import { clearData } from "./copy/swap.ts";
import type { Engine } from "./engine/types.ts";
import { readMarker } from "./marker.ts";

/**
 * The empty database of a product whose packages make none: its unit would, in a directory without our marker alone, and
 * with a password for root that stands in a log.
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

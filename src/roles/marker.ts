import { join } from "node:path";
import * as v from "valibot";
import type { RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { makeParents, readText, writeAtomically } from "../host/files.ts";
import { resolveOwner } from "../host/users.ts";
import { fingerprint } from "../resources/fingerprint.ts";
import type { Kind, Resource } from "../resources/types.ts";

/** Whose data a data directory holds (law 2). It stays with the data when the rest of chime-node goes. */
const markerSchema = v.object({
  cluster: v.pipe(v.string(), v.maxLength(100)),
  clusterName: v.pipe(v.string(), v.maxLength(100)),
  node: v.pipe(v.string(), v.maxLength(100)),
});
export type Marker = v.InferOutput<typeof markerSchema>;

/** A data directory and whose it is. */
interface Place {
  data: string;
  owner: string;
}

function markerPath(data: string): string {
  return join(data, "chime-node.json");
}

/** The marker of a data directory; undefined where there is none, or none that can be read. */
export async function readMarker(data: string): Promise<Marker | undefined> {
  const text = await readText(markerPath(data));
  if (text === undefined) return undefined;
  try {
    const parsed = v.safeParse(markerSchema, JSON.parse(text));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** @throws ChimeError `<role>.foreign_data` (exit 3) where it is somebody else's */
export function marker(role: RoleName, place: Place, mine: Marker, needs: readonly string[]): Resource {
  const { data, owner } = place;
  const id = `marker:${data}`;
  return {
    id,
    needs,
    desired: fingerprint(mine),
    async inspect({ ledger }) {
      const found = await readMarker(data);
      const kept = found?.cluster === mine.cluster && found.node === mine.node;
      if (found && !kept) throw foreign(role, data, found);
      // Kept by an earlier reset: noted again, so that the next one knows of this data.
      if (kept && ledger.noted(id) !== undefined) return undefined;
      return {
        action: kept ? "update" : "create",
        impact: "none",
        diff: kept
          ? "kept data is taken up again"
          : `+ this data belongs to ${mine.node} of ${mine.clusterName}`,
        async apply({ ledger }) {
          await ledger.before(id, null);
          const ids = await resolveOwner(owner, owner);
          await makeParents(markerPath(data));
          await writeAtomically(markerPath(data), `${JSON.stringify(mine)}\n`, { ...ids, mode: 0o640 });
        },
      };
    },
  };
}

export const markerKind: Kind = {
  name: "marker",
  undo: () => Promise.resolve(),
};

function foreign(role: RoleName, data: string, found: Marker): Error {
  return refused(
    `${role}.foreign_data`,
    `${data} holds the data of ${found.node} of the cluster ${found.clusterName}`,
    `move ${data} away if it is not needed any more, then run this again`,
  );
}

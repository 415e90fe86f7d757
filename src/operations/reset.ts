import { rm, rmdir } from "node:fs/promises";
import * as v from "valibot";
import { loadIdentity } from "../cluster/identity.ts";
import { clusterFiles, removeWhole, writeAtomic } from "../cluster/files.ts";
import { refused } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { paths } from "../core/paths.ts";
import { eraseGiven } from "../host/disks/erase.ts";
import { describeDisk } from "../host/disks/identity.ts";
import { loadGiven, type GivenDisk } from "../host/disks/record.ts";
import { missingDirectories } from "../host/files.ts";
import { openLedger, type Ledger } from "../plan/ledger.ts";
import { undoAll } from "../plan/reset.ts";
import { kinds } from "../resources/index.ts";
import { roleKinds } from "../roles/index.ts";
import { readMarker, type Marker } from "../roles/marker.ts";
import { requireRoot } from "./context.ts";
import type { Io } from "./io.ts";
import { warnOfLoss } from "./leave-loss.ts";
import { declined, sayGoodbye, stopAgent } from "./leave.ts";

export interface ResetResult {
  node: string | null;
  cluster: string | null;
  /** Data directories that stay, with their marker, and disks with what is on them. */
  kept: string[];
  deleted: string[];
  /** Disks that were to be made blank and are not, each with why: none of ours was found on them. */
  not_found: string[];
  summary: string;
}

/** What a reset that was killed must remember, because the cluster is not there to be asked any more. */
const intentFile = `${paths.state}/reset.json`;
const intentSchema = v.object({
  cluster: v.string(),
  node: v.string(),
  data: v.array(v.string()),
  /** ID of the cluster; null: a version that did not write it down was killed. */
  id: v.optional(v.nullable(v.string()), null),
  /** Directories that say that they are another cluster's, which this node has left with its data kept: they stay. */
  foreign: v.optional(v.array(v.string()), []),
});
type Intent = v.InferOutput<typeof intentSchema>;

/**
 * Takes the node back to what it was before (law 2): hands over, leaves, undoes the ledger. Data goes only when
 * the operator names the cluster. Killed at any moment, the same command again finishes.
 */
export async function resetNode(options: { deleteData: string | undefined }, io: Io): Promise<ResetResult> {
  requireRoot();
  return withLock("apply", "reset", async () => {
    const ledger = await openLedger();
    const intent = await readIntent(ledger);
    if (!intent && ledger.ids().length === 0 && !(await hasBundles())) {
      const summary = "there is nothing of chime-node to take back on this node";
      return { node: null, cluster: null, kept: [], deleted: [], not_found: [], summary };
    }
    if (options.deleteData !== undefined && options.deleteData !== intent?.cluster) {
      throw refused(
        "reset.wrong_cluster",
        `this node's data belongs to ${intent?.cluster ?? "no cluster"}, not to ${options.deleteData}`,
        `chime-node reset --delete-data=${intent?.cluster ?? "CLUSTER"}`,
      );
    }
    const identity = await loadIdentity(clusterFiles.pki);
    if (identity) await warnOfLoss(identity.self.name, io);
    await ask(intent, options.deleteData !== undefined, io);
    if (intent) await writeAtomic(intentFile, `${JSON.stringify(intent)}\n`, 0o600);
    if (identity) {
      await sayGoodbye(identity, io);
      await stopAgent();
      await rm(clusterFiles.pki, { recursive: true, force: true });
    }
    await undoAll(ledger, [...kinds, ...roleKinds], io);
    const { data: directories = [], foreign = [] } = intent ?? {};
    const { own: disks, others } = disksOf(intent?.id, await loadGiven());
    const left = options.deleteData === undefined ? undefined : await deleteData(directories, disks, io);
    await forgetEverything();
    const found = dataFound(directories, disks, left, [...foreign, ...named(others)]);
    for (const disk of found.not_found) io.warn(`not deleted: ${disk}; ${eraseByHand}`);
    return {
      node: intent?.node ?? null,
      cluster: intent?.cluster ?? null,
      ...found,
      summary: `this node is as it was before chime-node; ${aboutData(found)}`,
    };
  });
}

/** Its disks are blank again, and can be given to whatever comes next. @returns by label, why one is not */
async function deleteData(
  directories: readonly string[],
  disks: readonly GivenDisk[],
  io: Io,
): Promise<Map<string, string>> {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
  const left = new Map<string, string>();
  for (const disk of disks) {
    io.progress(`erasing ${disk.label}`);
    const why = await eraseGiven(disk);
    if (why !== undefined) left.set(disk.label, why);
  }
  return left;
}

/** A node that left a cluster and was not reset has its disks still. Pure. */
export function disksOf<D extends Pick<GivenDisk, "cluster">>(
  id: string | null | undefined,
  disks: readonly D[],
): { own: D[]; others: D[] } {
  const isOther = ({ cluster }: D) => typeof id === "string" && cluster !== undefined && cluster !== id;
  return { own: disks.filter((disk) => !isOther(disk)), others: disks.filter(isOther) };
}

function named(disks: readonly Pick<GivenDisk, "label" | "identity">[]): string[] {
  return disks.map(({ label, identity }) => `${label} on ${identity.name}`);
}

type Found = Pick<ResetResult, "kept" | "deleted" | "not_found">;

/**
 * What became of the data of this node. Pure.
 * @param left by label, why a disk was not made blank; undefined where all was to be kept
 * @param foreign data of another cluster
 */
export function dataFound(
  directories: readonly string[],
  disks: readonly Pick<GivenDisk, "label" | "identity">[],
  left: ReadonlyMap<string, string> | undefined,
  foreign: readonly string[] = [],
): Found {
  if (!left) return { kept: [...directories, ...foreign, ...named(disks)], deleted: [], not_found: [] };
  return {
    kept: [...foreign],
    deleted: [...directories, ...named(disks.filter(({ label }) => !left.has(label)))],
    // By its numbers: it may be in a drawer, and its name be another one's by now.
    not_found: disks.flatMap(({ label, identity }) => {
      const why = left.get(label);
      return why === undefined ? [] : [`${label} on ${describeDisk(identity)}: ${why}`];
    }),
  };
}

const eraseByHand =
  'what it holds is still on it, and nothing here knows it any more: erase it by hand (docs/minio.md, "Taking it back") or destroy it';

/** The same in one line. */
function aboutData({ kept, deleted, not_found: left }: Found): string {
  if (deleted.length === 0 && left.length === 0) return `data kept: ${kept.join(", ") || "none"}`;
  const stay = kept.length === 0 ? "" : `; kept, of another cluster: ${kept.join(", ")}`;
  const gone = `data deleted: ${deleted.join(", ") || "none"}${stay}`;
  return left.length === 0 ? gone : `${gone}; NOT deleted: ${left.join(", ")}`;
}

/** What was imported on a node that was in no cluster yet. */
async function hasBundles(): Promise<boolean> {
  return (await missingDirectories(paths.bundles)).length === 0;
}

/** The intent of a reset that was killed, or the one of now; undefined where the node is in no cluster and has no data of one. */
async function readIntent(ledger: Ledger): Promise<Intent | undefined> {
  const file = Bun.file(intentFile);
  if (await file.exists()) return v.parse(intentSchema, await file.json());
  const data = dataDirectories(ledger);
  const identity = await loadIdentity(clusterFiles.pki);
  if (!identity) return intentByMarkers(data);
  const { cluster, self } = identity;
  return { cluster: cluster.name, id: cluster.id, node: self.name, ...(await dataOf(cluster.id, data)) };
}

/** Which of these directories are a cluster's: all that do not say that they are another one's. */
export async function dataOf(
  cluster: string,
  directories: readonly string[],
): Promise<Pick<Intent, "data" | "foreign">> {
  const sorted: Pick<Intent, "data" | "foreign"> = { data: [], foreign: [] };
  for (const directory of directories) {
    const marker = await readMarker(directory);
    sorted[marker && marker.cluster !== cluster ? "foreign" : "data"].push(directory);
  }
  return sorted;
}

/** After a leave only the data know whose they are: those of one cluster, whichever is found first. */
export async function intentByMarkers(directories: readonly string[]): Promise<Intent | undefined> {
  const marked: string[] = [];
  let first: Marker | undefined;
  for (const directory of directories) {
    const marker = await readMarker(directory);
    if (marker) marked.push(directory);
    first ??= marker;
  }
  if (!first) return undefined;
  const { cluster: id, clusterName: cluster, node } = first;
  return { cluster, id, node, ...(await dataOf(id, marked)) };
}

/** Directories with data of ours: those that got a marker. */
function dataDirectories(ledger: Ledger): string[] {
  const prefix = "marker:";
  return ledger.ids().flatMap((id) => (id.startsWith(prefix) ? [id.slice(prefix.length)] : []));
}

async function ask(intent: Intent | undefined, deletes: boolean, io: Io): Promise<void> {
  const where = intent ? `${intent.node} out of ${intent.cluster} and ` : "";
  const { own } = disksOf(intent?.id, await loadGiven());
  const disks = own.map(({ identity }) => describeDisk(identity));
  const data = deletes ? `, DELETING ${[...(intent?.data ?? []), ...disks].join(", ")}` : "";
  if (!(await io.confirm(`Take ${where}everything that chime-node made here back${data}?`))) throw declined();
}

/** The last step: what the command itself needs is gone only when all else is. A token file is the operator's. */
async function forgetEverything(): Promise<void> {
  await removeWhole(clusterFiles.secrets);
  await rmdir(paths.config).catch(() => undefined);
  await rm(paths.run, { recursive: true, force: true });
  await rm(paths.state, { recursive: true, force: true });
}

import type { Givers, Offer } from "../../agent/bundles.ts";
import { callAgent, readAgent } from "../../agent/socket.ts";
import { keptFiles } from "../../bundle/kept.ts";
import { openManifest, type Opened, type Trust } from "../../bundle/read.ts";
import { pullFiles, type Source } from "../../bundle/pull.ts";
import type { Arrived } from "../../bundle/coming-file.ts";
import { contentSize, type Manifest } from "../../bundle/manifest.ts";
import { pullPlaces, requireSpace, settle, storedBundles, writeSigned } from "../../bundle/store.ts";
import { systemName } from "../../bundle/systems.ts";
import type { RoleName } from "../../cluster/types.ts";
import { systemClock } from "../../core/clock.ts";
import { ChimeError, refused, toChimeError } from "../../core/errors.ts";
import { withLock } from "../../core/lock.ts";
import { paths } from "../../core/paths.ts";
import { mebibytes } from "../../core/size.ts";
import { makePrivateDirectory } from "../../host/files.ts";
import { roles } from "../../roles/index.ts";
import type { RoleContext } from "../../roles/types.ts";
import type { Io } from "../io.ts";
import { requireFitting } from "./fit.ts";
import { trustHere } from "./trust.ts";

/** A call of the agent's own to another one takes up to 30 s. */
const callMs = 35_000;
const tellMs = 2_000;

/** Asks by way of this node's agent. */
export function agentGivers(signal: AbortSignal): Givers {
  const limits = { timeoutMs: callMs, signal };
  return {
    "bundle.offers": () => callAgent<Offer[]>("bundle.offers", {}, limits),
    "bundle.manifest": (params) => callAgent("bundle.manifest", params, limits),
    "bundle.files": (params) => callAgent("bundle.files", params, limits),
    "bundle.read": (params) => readAgent("bundle.read", params, limits),
  };
}

/**
 * Where `cluster.packages` wants a bundle and this node has none for these roles, its packages are brought from members
 * that have one. Nothing but the store changes. With `auto` a node goes on without what it cannot get.
 * @param giversNow asked again whenever it is looked who has what
 * @throws ChimeError where packages must come from a bundle: `bundle.*`, `host.no_space`, `file.*`
 */
export async function pullBundle(
  context: Pick<RoleContext, "spec" | "facts">,
  names: readonly RoleName[],
  io: Io,
  giversNow: () => Givers = () => agentGivers(io.signal),
): Promise<void> {
  const { packages } = context.spec.cluster;
  const needs = roles.some((role) => names.includes(role.name) && role.products(context.spec).length > 0);
  if (!needs || (packages !== "bundle" && packages !== "auto")) return;
  const system = systemName(context.facts.os);
  const suits = (one: { system: string; arch: string; roles: readonly string[] }) =>
    one.system === system &&
    one.arch === context.facts.arch &&
    names.every((role) => one.roles.includes(role));
  if ((await storedBundles(paths.bundles)).some(({ manifest }) => suits(manifest))) return;
  const givers = giversNow();
  const offers = (await givers["bundle.offers"]()).filter(suits);
  // The newest, and of two of one version the one that more members have.
  const count = (id: string) => offers.filter((offer) => offer.id === id).length;
  const [best] = offers
    .filter(({ whole }) => whole)
    .toSorted((a, b) => Bun.semver.order(b.version, a.version) || count(b.id) - count(a.id));
  if (!best) return;
  const holders = offers.filter(({ id, whole }) => id === best.id && whole).map(({ node }) => node);
  try {
    await withLock("bundle", "a bundle from another node", async () => {
      const opened = await openFrom(givers, best.id, holders, await trustHere(context.spec.cluster));
      await pull(opened, giversNow, io);
    });
  } catch (error) {
    io.signal.throwIfAborted();
    if (packages === "bundle") throw error;
    io.warn(`the bundle of ${holders.join(", ")} cannot be used: ${toChimeError(error).message}`);
  }
}

async function pull(opened: Opened, giversNow: () => Givers, io: Io): Promise<void> {
  const { id } = opened;
  await requireFitting(opened.manifest, "packages");
  const files = keptFiles(opened.manifest);
  const total = contentSize({ files });
  await makePrivateDirectory(paths.bundles);
  await requireSpace(paths.bundles, total);
  const places = pullPlaces(paths.bundles, id);
  const from = new Map<string, number>();
  const tell = progressOf(total, io);
  const arrived: Arrived = (bytes, node) => {
    if (node !== undefined) from.set(node, (from.get(node) ?? 0) + bytes);
    tell(bytes, node);
  };
  // From now on others may take from here what has come.
  await makePrivateDirectory(places.whole);
  await writeSigned(places.whole, opened);
  const find = async () => {
    const givers = giversNow();
    const offers = await givers["bundle.offers"]();
    return offers.filter((offer) => offer.id === id).map((offer) => sourceOf(givers, offer, opened.manifest));
  };
  await pullFiles({ files, places, find, arrived, warn: io.warn, signal: io.signal });
  await settle(places.whole, paths.bundles, opened);
  // What was refused came from nobody.
  const givers = [...from].flatMap(([node, bytes]) => (bytes > 0 ? node : [])).sort();
  io.note(`packages came from ${givers.join(", ") || "an earlier run"}: bundle ${id}`);
}

function sourceOf(givers: Givers, { node, id, whole }: Offer, { files }: Manifest): Source {
  const has = async () => {
    const places = await givers["bundle.files"]({ node, id });
    return new Set(places.flatMap((at) => files[at]?.name ?? []));
  };
  return {
    node,
    ...(whole ? {} : { has }),
    read: (name, offset) => givers["bundle.read"]({ node, id, name, offset }),
  };
}

/** From the first that gives one. @throws ChimeError of the last */
async function openFrom(
  givers: Givers,
  id: string,
  holders: readonly string[],
  trust: Trust,
): Promise<Opened> {
  for (const [at, node] of holders.entries()) {
    try {
      const answer = await givers["bundle.manifest"]({ node, id });
      return openManifest(Buffer.from(answer.manifest), Buffer.from(answer.signature, "base64"), trust);
    } catch (error) {
      if (at === holders.length - 1) throw strange(error, node);
    }
  }
  throw new Error("nobody holds the bundle");
}

/** Here nobody can say whom to trust. */
function strange(error: unknown, node: string): unknown {
  if (!(error instanceof ChimeError) || error.code !== "bundle.untrusted_key") return error;
  return refused(
    error.code,
    `the bundle of ${node} is signed with a key that this cluster does not trust`,
    `on a member add it to cluster.trusted_keys in ${paths.clusterToml} and run chime-node apply; then this again`,
  );
}

/** Bytes, rate, from whom; not at every piece. */
function progressOf(total: number, io: Io): Arrived {
  const start = systemClock.now();
  let [here, came, told] = [0, 0, Number.NEGATIVE_INFINITY];
  return (bytes, node) => {
    here += bytes;
    if (node === undefined) return;
    came += bytes;
    const now = systemClock.now();
    if (now - told < tellMs) return;
    told = now;
    const rate = mebibytes((came / Math.max(1, now - start)) * 1000);
    io.progress(`taking packages from ${node}: ${mebibytes(here)} of ${mebibytes(total)}, ${rate}/s`);
  };
}

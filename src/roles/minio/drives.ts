import { existsSync } from "node:fs";
import { chown } from "node:fs/promises";
import { refused } from "../../core/errors.ts";
import { mebibytes } from "../../core/size.ts";
import { mountedAt } from "../../host/mounts.ts";
import { resolveOwner } from "../../host/users.ts";
import { disk } from "../../resources/disk.ts";
import { mount } from "../../resources/mount.ts";
import type { DiskCare, Filling, RoleContext } from "../types.ts";
import { storeInfo, type StoreInfo } from "./info.ts";
import { layout, minioSpec, nodes, place, slotIn, slotName } from "./layout.ts";
import { publishedBy } from "./published.ts";
import { quorumOf, type Quorum } from "./quorum.ts";
import { rememberedSlot } from "./slots.ts";
import type { Limits } from "../http.ts";
import { ownStore } from "./stores.ts";

type Drive = StoreInfo["servers"][number]["drives"][number];

/** A node that has lost its power keeps the others waiting. */
const patienceMs = 20_000;

/** How one of this node's drives is replaced while the store serves. */
export const diskCare: DiskCare = {
  async requireSpare(context, at, signal) {
    const scope = scopeOf(context);
    if (!scope) throw needed(at, "the store was not formed yet", "chime-node join --role minio first");
    const info = await scope.info(signal);
    const why = whyNeeded(
      info,
      // The engine takes a drive to which nothing can be written for a good one.
      { slot: scope.slot, at, isUsed: mountedAt(at)?.readOnly === false },
      scope.quorum,
      scope.owing,
    );
    if (why === undefined) return;
    const remedy = `chime-node status shows what is missing; if this disk itself is the reason: umount ${at}, then run this again`;
    const again = `; if it cannot be mended: chime-node reset --delete-data=${context.cluster.name} here, then chime-node join: the other store fills this one`;
    throw needed(at, why, minioSpec(context).topology === "mirror" ? remedy + again : remedy);
  },

  resources(context, given) {
    const { unit } = layout(context).product;
    return [disk(given, []), ...mount(given, unit)];
  },

  async handOver(context, at) {
    const { user } = layout(context).product;
    const { uid, gid } = await resolveOwner(user, user);
    await chown(at, uid, gid);
  },

  async filling(context, at, signal) {
    const scope = scopeOf(context);
    const info = await scope?.info(signal);
    // What the server says of a drive is up to a second old, and may be about the one before.
    if (!scope || !info || !existsSync(`${at}/.minio.sys/format.json`)) return fillingOf(undefined, []);
    return fillingOf(driveAt(info, { slot: scope.slot, at }), scope.owing);
  },
};

/** The store that a disk of this node is part of. */
interface Scope {
  /** This node's place in it. */
  slot: number;
  quorum: Quorum;
  /** The nodes that know of objects which may not be on all of its drives. */
  owing: string[];
  info(signal: AbortSignal): Promise<StoreInfo>;
}

/** Of a mirror each node has a store of its own. Undefined: it was not formed yet. */
function scopeOf(context: RoleContext): Scope | undefined {
  const { topology, nodes: count, disksPerNode } = minioSpec(context);
  const isMirror = topology === "mirror";
  const slot = isMirror ? 1 : rememberedSlot();
  if (slot === null) return undefined;
  const { self, members } = context;
  const owing = nodes(isMirror ? [self] : members).filter((member) => publishedBy(member)?.owes);
  return {
    slot,
    quorum: quorumOf({ nodes: isMirror ? 1 : count, drivesPerNode: disksPerNode }),
    owing: owing.map(({ name }) => name),
    async info(signal) {
      const found = await storeInfo(ownStore(context), limits(signal));
      return isMirror ? asFirst(found, context.spec.cluster.domain) : found;
    },
  };
}

/** Pure: a server that calls itself by its address, under the name of the first place. */
function asFirst({ servers }: StoreInfo, domain: string): StoreInfo {
  return { servers: servers.map((server) => ({ ...server, endpoint: slotName(1, domain) })) };
}

const limits = (signal: AbortSignal): Limits => ({ timeoutMs: patienceMs, signal });

const needed = (at: string, why: string, remedy: string) =>
  refused("disk.needed", `the disk at ${at} cannot be spared: ${why}`, remedy);

interface Place {
  slot: number;
  at: string;
}

/**
 * Pure: why the store cannot do without a drive, or could not fill another one in its place; undefined where it can. A
 * drive that is being filled has not all that it should have, and counts as missing.
 * @param owing the nodes that know of objects which may not be on all drives
 */
export function whyNeeded(
  info: StoreInfo,
  own: Place & { isUsed: boolean },
  quorum: Pick<Quorum, "setSize" | "readQuorum" | "writeQuorum" | "nodes" | "drivesPerNode">,
  owing: readonly string[],
): string | undefined {
  const others = setOf(own, quorum).filter(({ slot, at }) => slot !== own.slot || at !== own.at);
  const whole = others.filter((one) => isWhole(driveAt(info, one))).length;
  const count = `${whole} of the ${others.length} other drives of its erasure set hold all that they should`;
  if (whole < quorum.readQuorum)
    return `${count}, and ${quorum.readQuorum} are needed to make its content anew`;
  // What is not in use is missed by nobody.
  if (!own.isUsed || !isWhole(driveAt(info, own))) return undefined;
  if (whole < quorum.writeQuorum) return `${count}, and writes need ${quorum.writeQuorum}`;
  // Whoever owes nothing yet will in a moment, where a drive is away now.
  if (owing.length === 0 && whole === others.length) return undefined;
  const told = ["minio.completing", ...owing].join(", ");
  return `objects that were written while drives were away may be on too few others (${told})`;
}

/** Pure: the drives of the set that a drive is in. The engine counts all nodes before it comes to the second drive. */
function setOf(
  { slot, at }: Place,
  { setSize, nodes, drivesPerNode }: Pick<Quorum, "setSize" | "nodes" | "drivesPerNode">,
): Place[] {
  const all = Array.from({ length: nodes * drivesPerNode }, (_, i) => ({
    slot: (i % nodes) + 1,
    at: place(Math.floor(i / nodes) + 1),
  }));
  const mine = all.findIndex((one) => one.slot === slot && one.at === at);
  const first = mine - (mine % setSize);
  return all.slice(first, first + setSize);
}

function driveAt({ servers }: StoreInfo, { slot, at }: Place): Drive | undefined {
  const server = servers.find(({ endpoint }) => slotIn(endpoint) === slot);
  return server?.drives.find(({ path, endpoint }) => path === at || endpoint.endsWith(at));
}

const isWhole = (drive: Drive | undefined): boolean => drive?.state === "ok" && !drive.healing;

/** Pure: once its drive is filled, the engine has every object looked at, for those that were written meanwhile. */
export function fillingOf(drive: Drive | undefined, owing: readonly string[]): Filling {
  if (drive?.state !== "ok") {
    const said = drive && ` (it says: ${drive.state})`;
    return { state: "waiting", line: `waiting for the server to take it, up to 30 s${said ?? ""}` };
  }
  const {
    objects_total_count: total = 0,
    items_healed: items = 0,
    bytes_done: bytes = 0,
  } = drive.heal_info ?? {};
  if (drive.healing) {
    return {
      state: "filling",
      line: `${items} items filled in, ${mebibytes(bytes)}; the store has ${total} objects`,
    };
  }
  if (owing.length === 0) return { state: "done", line: "filled" };
  return {
    state: "filling",
    line: `filled; objects that were written meanwhile are looked at (${owing.join(", ")})`,
  };
}

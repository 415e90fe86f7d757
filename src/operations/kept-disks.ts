import type { RoleName } from "../cluster/types.ts";
import { refused, usageError } from "../core/errors.ts";
import { describeDisk, identify } from "../host/disks/identity.ts";
import type { Disk } from "../host/disks/look.ts";
import { peek } from "../host/disks/peek.ts";
import { readXfsHead } from "../host/disks/xfs.ts";
import { roles } from "../roles/index.ts";
import type { KeptDisks, Role, RoleContext } from "../roles/types.ts";
import type { Io } from "./io.ts";

/** A disk with a file system of a role, which a reset has left as it was. */
export interface Kept {
  disk: Disk;
  label: string;
  uuid: string;
}

/**
 * Those of the disks that nothing stands against but a file system that is called as a role's. Whether it is this cluster's,
 * only the role can tell, once the cluster can be asked.
 */
export async function keptAmong(names: readonly RoleName[], disks: readonly Disk[]): Promise<Kept[]> {
  const takers = takersOf(names);
  const found = await Promise.all(disks.map((disk) => keptOn(disk, takers)));
  return found.flatMap((one) => one ?? []);
}

type Taker = Role & { readonly keptDisks: KeptDisks };

const takersOf = (names: readonly RoleName[]): Taker[] =>
  roles.filter((role): role is Taker => role.keptDisks !== undefined && names.includes(role.name));

async function keptOn(disk: Disk, takers: readonly Taker[]): Promise<Kept | undefined> {
  const { facts, verdict } = disk;
  const { signatures, trouble } = facts.content;
  const isPlain = verdict.reason?.code === "content" && signatures.join() === "xfs" && trouble.length === 0;
  if (!isPlain) return undefined;
  const head = await readXfsHead(facts.device.path).catch(() => undefined);
  if (!head || head.inProgress || !takers.some(({ keptDisks }) => keptDisks.label.test(head.label)))
    return undefined;
  return { disk, label: head.label, uuid: head.uuid };
}

/** Whoever gives them may have taken them for blank ones. @throws ChimeError `disk.mixed`, `disk.declined` */
export async function agreeToKept(kept: readonly Kept[], all: readonly Disk[], io: Io): Promise<void> {
  if (kept.length < all.length) {
    const names = kept.map(({ disk }) => disk.facts.stableName).join(", ");
    throw refused("disk.mixed", `${names} carry data of a store, and the other disks do not`, {
      remedy:
        "give all that a reset left, or none of them; one that failed is replaced afterwards: docs/disks.md",
    });
  }
  for (const { disk, label } of kept) io.note(`${label}: ${describeDisk(identify(disk.facts))}`);
  if (await io.confirm(`Take up these ${kept.length} disks with what is on them, if it is this cluster's?`))
    return;
  throw usageError("disk.declined", "nothing was changed", "give disks that are free: chime-node disks");
}

/** @throws ChimeError `disk.not_ours`, `disk.unreadable` (exit 3, nothing touched) */
export async function takeUpKept(
  names: readonly RoleName[],
  context: RoleContext,
  kept: readonly Kept[],
  io: Io,
): Promise<void> {
  for (const { keptDisks } of takersOf(names)) {
    const own = kept.filter(({ label }) => keptDisks.label.test(label));
    if (own.length === 0) continue;
    io.progress("asking whose the data on the disks is");
    const read = own.map(async ({ disk, label }) => {
      const device = disk.facts.device.path;
      return { label, device, content: await peek(device, keptDisks.file) };
    });
    await keptDisks.takeUp(context, await Promise.all(read), io.signal);
  }
}

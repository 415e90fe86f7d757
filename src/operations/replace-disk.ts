import { randomUUID } from "node:crypto";
import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { failed, refused, toChimeError, usageError } from "../core/errors.ts";
import { withLock } from "../core/lock.ts";
import { sizeText } from "../core/size.ts";
import { chooseDisks } from "../host/disks/choose.ts";
import { describeDisk, identify, isSameDisk, type DiskIdentity } from "../host/disks/identity.ts";
import { lookAtDisks, type Disk } from "../host/disks/look.ts";
import { numberAt } from "../host/disks/number.ts";
import { keepGiven, loadGiven, type GivenDisk } from "../host/disks/record.ts";
import { readXfsHead } from "../host/disks/xfs.ts";
import { mountedAt, unmount } from "../host/mounts.ts";
import { roles } from "../roles/index.ts";
import type { DiskCare, Filling, Role, RoleContext } from "../roles/types.ts";
import { readContext, requireRoot } from "./context.ts";
import type { Io } from "./io.ts";
import { makeOrThrow } from "./make.ts";

export interface ReplaceOptions {
  /** Where the disk is mounted, or should be: `/minio/disk2`. */
  place: string;
  /** The new one, as `join --disk` takes it. */
  disk: string;
  dryRun: boolean;
  /** Until the new disk holds all that it should. */
  wait: boolean;
}

export interface ReplaceResult {
  node: string;
  place: string;
  dry_run: boolean;
  /** The disk that was there; null where an earlier run has struck it off already. */
  removed: DiskIdentity | null;
  disk: DiskIdentity;
  /** Whether it holds all that it should. */
  filled: boolean;
  seconds: number;
  summary: string;
}

/**
 * Puts another disk in the place of one of this node's, whether that is still there or not, and sees it filled. The new one
 * is taken by the rules of `join --disk`, and its identity is written down before anything is written to it; of the old one
 * nothing is changed. Run again after a kill it goes on from what it finds.
 * @throws ChimeError `disk.no_place` (exit 2); `disk.refused`, `disk.given`, `disk.too_small`, `disk.needed`, `mount.other`
 * (exit 3, nothing touched), of the resources, `disk.not_taken`
 */
export async function replaceDisk(options: ReplaceOptions, io: Io): Promise<ReplaceResult> {
  requireRoot();
  const started = systemClock.now();
  const { context, swap } = await withLock("apply", "disk replace", async () => {
    const { context } = await readContext();
    const swap = await settle(options, context, io);
    if (!options.dryRun) await carryOut(swap, context, io);
    return { context, swap };
  });
  const filled = !options.dryRun && options.wait && (await untilFilled(swap, io));
  return {
    node: context.self.name,
    place: swap.given.at,
    dry_run: options.dryRun,
    removed: swap.old?.identity ?? null,
    disk: swap.given.identity,
    filled,
    seconds: Math.round(systemClock.now() - started) / 1000,
    summary: summaryOf(swap, { ...options, filled }),
  };
}

/** Which disk goes, which one comes, and whose they are. */
interface Swap {
  role: Role;
  care: DiskCare;
  /** Undefined where the new one was recorded by an earlier run. */
  old: GivenDisk | undefined;
  /** As it is recorded, or will be. */
  given: GivenDisk;
}

/** Decides everything, and touches nothing. */
async function settle({ place, disk }: ReplaceOptions, context: RoleContext, io: Io): Promise<Swap> {
  const all = await loadGiven();
  const recorded = findPlace(place, all);
  const { role, care } = takerOf(recorded, context);
  io.progress("looking at the disks");
  const found = chooseOne(disk, await lookAtDisks());
  const identity = identify(found.facts);
  if (isSameDisk(recorded.identity, identity)) return { role, care, old: undefined, given: recorded };
  requireFitting(found, disk, recorded, all);
  io.progress(`asking ${role.name} whether it can spare ${recorded.at}`);
  await care.requireSpare(context, recorded.at, io.signal);
  await requireOurs(recorded);
  return { role, care, old: recorded, given: { ...recorded, uuid: randomUUID(), identity } };
}

/** @throws ChimeError `disk.no_place` */
export function findPlace(place: string, all: readonly GivenDisk[]): GivenDisk {
  const found = all.find(({ at, label }) => at === place || label === place);
  if (found) return found;
  const places = all.map(({ at }) => at).join(", ");
  throw usageError(
    "disk.no_place",
    `${place} is not the place of a disk of this node`,
    places
      ? `one of ${places}`
      : "this node gives no disks to any role: chime-node join --role minio --disk …",
  );
}

function takerOf({ at }: GivenDisk, { spec, self }: RoleContext): { role: Role; care: DiskCare } {
  const role = roles.find(
    (one) => self.roles.includes(one.name) && one.disks?.(spec).some((slot) => slot.at === at),
  );
  if (role?.diskCare) return { role, care: role.diskCare };
  throw refused("disk.no_role", `no role of this node stores at ${at}`, "chime-node status");
}

/** @throws ChimeError `disk.refused` */
function chooseOne(word: string, disks: readonly Disk[]): Disk {
  if (word.startsWith("auto:")) {
    throw usageError("disk.by_name", "one disk in another one's place has to be named", "--disk DEV");
  }
  const [choice] = chooseDisks([word], disks, numberAt);
  const [found] = choice?.disks ?? [];
  if (found) return found;
  throw refused(
    "disk.refused",
    choice?.finding?.message ?? word,
    choice?.finding?.remedy ?? "chime-node disks",
  );
}

/**
 * Pure.
 * @throws ChimeError `disk.given`, `disk.refused`, `disk.too_small`
 */
export function requireFitting(
  { facts, verdict }: Disk,
  word: string,
  old: GivenDisk,
  all: readonly GivenDisk[],
): void {
  const another = "give another disk: chime-node disks shows those that are free";
  const other = all.find(({ identity }) => isSameDisk(identity, identify(facts)));
  if (other) throw refused("disk.given", `${word} is the disk of ${other.at}`, another);
  if (verdict.reason) throw refused("disk.refused", `${word} ${verdict.reason.message}`, another);
  const { size } = facts.device;
  if (size >= old.identity.size) return;
  throw refused(
    "disk.too_small",
    `${word} has ${size} bytes, and the disk of ${old.at} has ${old.identity.size} (${sizeText(old.identity.size)})`,
    "give one that is at least as large",
  );
}

/**
 * What is mounted at the place is to be a disk of ours: one that cannot be read any more is told by its place alone.
 * @throws ChimeError `mount.other`
 */
async function requireOurs({ at, label }: GivenDisk): Promise<void> {
  const there = mountedAt(at);
  if (!there) return;
  if (there.fileSystem === "xfs") {
    const head = await readXfsHead(there.source).catch(() => "unreadable" as const);
    if (head === "unreadable" || head?.label === label) return;
  }
  throw refused(
    "mount.other",
    `${at} is to be the place of a disk of ours, and ${there.source} is mounted there`,
    {
      remedy: `umount ${at}, then run this again`,
    },
  );
}

async function carryOut({ role, care, old, given }: Swap, context: RoleContext, io: Io): Promise<void> {
  const { at } = given;
  if (old) {
    const question = `Take ${describeDisk(old.identity)} out of ${at} and FORMAT ${describeDisk(given.identity)} in its place?`;
    if (!(await io.confirm(question))) throw usageError("disk.declined", "nothing was changed");
    // Whoever was asked may have taken a while.
    await care.requireSpare((await readContext()).context, at, io.signal);
  }
  if (!(await carries(given))) {
    await requireOurs(given);
    io.progress(`taking what is mounted at ${at} away`);
    if (mountedAt(at)) await unmount(at);
  }
  if (old) {
    const all = await loadGiven();
    await keepGiven(all.map((one) => (one.at === at ? given : one)));
    io.note(`${describeDisk(given.identity)} is the disk of ${at} from now on`);
  }
  await makeOrThrow(care.resources(context, given), io);
  await care.handOver(context, at);
  await callAgent("role.command", { role: role.name, method: "disk.changed", params: {} });
}

/** Whether the disk is at its place. */
async function carries({ at, uuid }: GivenDisk): Promise<boolean> {
  const there = mountedAt(at);
  return there !== undefined && (await readXfsHead(there.source).catch(() => undefined))?.uuid === uuid;
}

const lookMs = 1_000;
/** The server looks for new disks every 10 s, and has to be heard of by its guard. */
const takenMs = 120_000;

/** @throws ChimeError `disk.not_taken` where the service does not begin */
async function untilFilled({ care, given: { at } }: Swap, io: Io): Promise<true> {
  let giveUp = systemClock.now() + takenMs;
  for (;;) {
    const found = await look(care, at, io.signal);
    if (found.state === "done") return true;
    if (found.state === "filling") giveUp = systemClock.now() + takenMs;
    if (found.state === "waiting" && systemClock.now() > giveUp) {
      throw failed("disk.not_taken", `the disk at ${at} is mounted, and not in use: ${found.line}`, {
        remedy: "chime-node status; the same command again goes on waiting",
      });
    }
    io.progress(`${at}: ${found.line}`);
    await systemClock.sleep(lookMs, io.signal);
  }
}

/** A service that cannot be asked for a moment is asked again. */
async function look(care: DiskCare, at: string, signal: AbortSignal): Promise<Filling> {
  try {
    const { context } = await readContext();
    return await care.filling(context, at, signal);
  } catch (error) {
    signal.throwIfAborted();
    return { state: "waiting", line: toChimeError(error).message };
  }
}

function summaryOf({ old, given }: Swap, { dryRun, filled }: { dryRun: boolean; filled: boolean }): string {
  const now = describeDisk(given.identity);
  if (dryRun) {
    if (!old) return `${now} is recorded for ${given.at} already: nothing else would be taken out`;
    return `would take ${describeDisk(old.identity)} out of ${given.at}, and format ${now} in its place`;
  }
  const state = filled ? "holds all that it should" : "is being filled: chime-node status";
  const gone = old ? `\n${describeDisk(old.identity)} can be taken out; what is on it was not touched` : "";
  return `${now} is at ${given.at}, and ${state}${gone}`;
}

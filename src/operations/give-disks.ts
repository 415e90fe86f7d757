import { randomUUID } from "node:crypto";
import { checkDisks } from "../cluster/admission.ts";
import type { RoleName } from "../cluster/types.ts";
import { refused, usageError } from "../core/errors.ts";
import { sizeText } from "../core/size.ts";
import { chooseDisks } from "../host/disks/choose.ts";
import { describeDisk, identify, isSameDisk } from "../host/disks/identity.ts";
import { lookAtDisks, type Disk } from "../host/disks/look.ts";
import { numberAt } from "../host/disks/number.ts";
import { keepGiven, loadGiven, type GivenDisk } from "../host/disks/record.ts";
import { roles } from "../roles/index.ts";
import type { DiskSlot, RoleContext } from "../roles/types.ts";
import type { Spec } from "../spec/types.ts";
import type { Io } from "./io.ts";
import { agreeToKept, keptAmong, takeUpKept } from "./kept-disks.ts";

/**
 * The disks that an operator's words stand for, before anything is touched. Those that this node was given earlier are
 * taken for what they are, so that the same command can be run again.
 * Those that a reset has left with data of the role are taken for that, where somebody agrees: `requireDisks`.
 * @throws ChimeError `disk.refused`, `disk.no_role`, `disk.declined`, `disk.mixed`
 */
export async function chooseForRoles(
  { role, disk: words }: { role: readonly RoleName[]; disk: readonly string[] },
  io: Io,
): Promise<Disk[]> {
  if (words.length === 0) return [];
  if (!roles.some((one) => one.disks && role.includes(one.name))) {
    throw usageError("disk.no_role", `${role.join(", ")} takes no disks`, "leave out --disk");
  }
  io.progress("looking at the disks");
  const given = await loadGiven();
  const choices = chooseDisks(words, await lookAtDisks(), numberAt);
  const isGiven = ({ facts }: Disk) => given.some(({ identity }) => isSameDisk(identity, identify(facts)));
  const named = choices.flatMap(({ disks }) => disks);
  const kept = await keptAmong(
    role,
    named.filter((disk) => !isGiven(disk)),
  );
  const isKnown = (disk: Disk) => isGiven(disk) || kept.some((one) => one.disk === disk);
  for (const { word, disks, finding } of choices) {
    if (word.startsWith("auto:") && given.length > 0) return [];
    if (finding?.severity === "error" && !(disks.length > 0 && disks.every(isKnown))) {
      throw refused("disk.refused", finding.message, finding.remedy);
    }
    if (word.startsWith("auto:")) await agree(word, disks, io);
    else if (finding?.severity === "warning") io.warn(`disk: ${finding.message}`);
  }
  if (kept.length > 0) await agreeToKept(kept, named, io);
  return named;
}

/** @throws ChimeError `disk.by_join`: only `join` is told which disks */
export function requireNoDisks(names: readonly RoleName[]): void {
  const taker = roles.find((one) => one.disks && names.includes(one.name));
  if (!taker) return;
  throw usageError(
    "disk.by_join",
    `${taker.name} takes disks, which init is not told`,
    `chime-node init without it, then: chime-node join --role ${taker.name} --disk DEV`,
  );
}

/** A proposal is nobody's word until somebody has read its names. */
async function agree(word: string, disks: readonly Disk[], io: Io): Promise<void> {
  for (const { facts } of disks) io.note(`${word}: ${describeDisk(identify(facts))}`);
  if (await io.confirm(`Format these ${disks.length} disks?`)) return;
  throw usageError("disk.declined", "nothing was changed", "name the disks: --disk DEV for each");
}

/**
 * A node that has left a cluster keeps its disks with what is on them: they are not for the next cluster. Pure.
 * @param cluster ID of the one that the node is to be in
 * @throws ChimeError `disk.other_cluster` (exit 3)
 */
export function requireDisksOf(
  cluster: string,
  names: readonly RoleName[],
  given: readonly GivenDisk[],
): void {
  const others = givenTo(names, given).filter((one) => one.cluster !== undefined && one.cluster !== cluster);
  if (others.length === 0) return;
  const disks = others.map(({ label, identity }) => `${label} on ${identity.name}`).join(", ");
  throw refused(
    "disk.other_cluster",
    `this node gave its disks to another cluster, which it left: ${disks}`,
    {
      remedy:
        "chime-node reset keeps what is on them and forgets them here; then join with --disk and disks that are free",
    },
  );
}

/** Those that these roles have already. */
function givenTo(names: readonly RoleName[], given: readonly GivenDisk[]): GivenDisk[] {
  const labels = roles.filter(({ name }) => names.includes(name)).flatMap((role) => role.keptDisks ?? []);
  return given.filter((one) => labels.some(({ label }) => label.test(one.label)));
}

/**
 * Whether they can be the roles', as far as this node alone can tell. Pure.
 * @returns how many are given now; undefined where the roles have theirs
 * @throws ChimeError `disk.unequal`, `disk.given`, `disk.taken` (exit 3)
 */
export function requireFitDisks(
  names: readonly RoleName[],
  chosen: readonly Disk[],
  given: readonly GivenDisk[],
): number | undefined {
  const own = givenTo(names, given);
  if (own.length > 0) {
    const other = chosen.find(
      ({ facts }) => !own.some(({ identity }) => isSameDisk(identity, identify(facts))),
    );
    if (!other) return undefined;
    throw refused("disk.given", `this node gave other disks than ${other.facts.stableName} already`, {
      remedy: "leave out --disk, and those are taken",
    });
  }
  for (const { facts } of chosen) {
    const taken = given.find(({ identity }) => isSameDisk(identity, identify(facts)));
    if (!taken) continue;
    throw refused("disk.taken", `${facts.stableName} is at ${taken.at} already, for another role`, {
      remedy: "give a disk that is free: chime-node disks",
    });
  }
  const sizes = [...new Set(chosen.map(({ facts }) => facts.device.size))];
  if (sizes.length > 1) {
    throw refused("disk.unequal", `the disks are of different sizes (${sizes.map(sizeText).join(", ")})`, {
      remedy: "give disks of one size: no more of each is used than the smallest has",
    });
  }
  return chosen.length;
}

/**
 * Whether they are what the roles take. Pure.
 * @throws ChimeError `disk.count`, and as `requireFitDisks` (exit 3)
 */
export function requireDisks(
  names: readonly RoleName[],
  chosen: readonly Disk[],
  given: readonly GivenDisk[],
  spec: Spec,
): void {
  const count = requireFitDisks(names, chosen, given);
  if (count !== undefined) checkDisks(names, slotsOf(names, spec).length, count);
}

/**
 * Writes down which disks are the roles' from now on, by identity, and how each will be called; of those with data, how it
 * is called already.
 * @throws ChimeError `disk.not_ours`, `disk.unreadable` (exit 3, nothing touched)
 */
export async function recordDisks(
  names: readonly RoleName[],
  chosen: readonly Disk[],
  context: RoleContext,
  io: Io,
): Promise<void> {
  const given = await loadGiven();
  const wanted = slotsOf(names, context.spec).filter(
    ({ label }) => !given.some((one) => one.label === label),
  );
  if (wanted.length === 0) return;
  const kept = await keptAmong(names, chosen);
  await takeUpKept(names, context, kept, io);
  const more = wanted.flatMap((slot, i): GivenDisk[] => {
    const own = kept.find(({ label }) => label === slot.label);
    const disk = own?.disk ?? chosen[i];
    const { id: cluster } = context.cluster;
    return disk
      ? [{ ...slot, uuid: own?.uuid ?? randomUUID(), identity: identify(disk.facts), cluster }]
      : [];
  });
  await keepGiven([...given, ...more]);
}

function slotsOf(names: readonly RoleName[], spec: Spec): DiskSlot[] {
  return roles.filter(({ name }) => names.includes(name)).flatMap((role) => role.disks?.(spec) ?? []);
}

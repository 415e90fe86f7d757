import { failed, refused } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { withLock } from "../core/lock.ts";
import { lockDisk } from "../host/disks/hold.ts";
import { describeDisk, identify, isSameDisk } from "../host/disks/identity.ts";
import type { Disk } from "../host/disks/look.ts";
import { lookFor } from "../host/disks/look-for.ts";
import type { GivenDisk } from "../host/disks/record.ts";
import { findOneXfs, readXfsHead } from "../host/disks/xfs.ts";
import { fingerprint } from "./fingerprint.ts";
import type { ApplyContext, Change, Failures, Kind, Resource } from "./types.ts";

/** A large disk's blocks are discarded first. */
const mkfsTimeoutMs = 30 * 60_000;

interface DiskChange extends Change {
  id: string;
  given: GivenDisk;
  /** As it was when the change was planned. */
  planned: Disk;
}

/**
 * One whole disk with an XFS of ours, told by label and UUID. Nothing is written but to a disk of the recorded identity
 * that is provably empty, twice: when it is planned, and right before it is formatted. There is no way around that.
 */
export function disk(given: GivenDisk, needs: readonly string[]): Resource {
  const { label, uuid, identity } = given;
  const id = `disk:${label}`;
  const desired = fingerprint({ label, uuid });
  return {
    id,
    needs,
    desired,
    lane: "disks",
    async inspect({ ledger }) {
      if (await isOurs(given)) return undefined;
      // It was formatted once. That it is gone is for the agent to tell; another one is never taken for it.
      if (ledger.reached(id) === desired) return undefined;
      const planned = await requireEmpty(given);
      const change: DiskChange = {
        action: "create",
        impact: "data",
        diff: `+ XFS ${label} (${uuid}) on the whole of ${describeDisk(identity)}`,
        id,
        given,
        planned,
        async apply(context) {
          for (const error of (await format([change], context)).values()) throw error;
        },
        together: (others, context) => format([change, ...(others as DiskChange[])], context),
      };
      return change;
    },
  };
}

/** What is on a disk stays on it. */
export const diskKind: Kind = {
  name: "disk",
  undo: () => Promise.resolve(),
};

/** @throws ChimeError `disk.half_ours`, `disk.unfinished`, `disk.twice` */
async function isOurs({ label, uuid }: GivenDisk): Promise<boolean> {
  const one = await findOneXfs(uuid);
  if (!one) return false;
  const { path } = one.device;
  if (one.head.label !== label) {
    const message = `${path} carries our file system ${uuid}, but under the name "${one.head.label}"`;
    throw refused("disk.half_ours", message, {
      remedy: `if it is ours: umount ${path}; xfs_admin -L ${label} ${path}`,
    });
  }
  if (one.head.inProgress) {
    throw refused("disk.unfinished", `the formatting of ${path} as ${label} was interrupted`, {
      remedy: `there is nothing on it yet: wipefs --all ${path}, then run this again`,
    });
  }
  return true;
}

/** @throws ChimeError `disk.gone`, `disk.refused`, `disk.half_ours` */
async function requireEmpty({ identity, label }: GivenDisk): Promise<Disk> {
  const found = (await lookFor(identity)).find(({ facts }) => isSameDisk(identity, identify(facts)));
  if (!found) {
    throw refused("disk.gone", `${describeDisk(identity)} is not there, or is another disk by now`, {
      remedy: "chime-node disks shows those that are there",
    });
  }
  const { reason } = found.verdict;
  if (!reason) return found;
  const { path } = found.facts.device;
  const head = await readXfsHead(path).catch(() => undefined);
  if (head?.label === label) {
    throw refused("disk.half_ours", `${path} carries another file system called ${label} (${head.uuid})`, {
      remedy: "give another disk: chime-node disks shows those that are free",
    });
  }
  throw refused("disk.refused", `${path} ${reason.message}`, {
    remedy: "give another disk: chime-node disks shows those that are free",
  });
}

/** All are locked, and looked at once more, before any is touched. Each is refused, or made, for itself. */
async function format(changes: readonly DiskChange[], context: ApplyContext): Promise<Failures> {
  const failures = new Map<DiskChange, unknown>();
  const left = () => changes.filter((change) => !failures.has(change));
  const each = async (step: (change: DiskChange) => Promise<void>) => {
    const one = async (change: DiskChange) =>
      step(change).catch((error: unknown) => failures.set(change, error));
    await Promise.all(left().map(one));
  };
  await withLock("disks", "apply", async () => {
    await using locks = new AsyncDisposableStack();
    await each(async (change) => requireDifferent(change, changes));
    await each(async ({ planned }) => void locks.use(await lockDisk(planned.facts.device)));
    await each(requireUnchanged);
    for (const { id, given } of left()) await context.ledger.before(id, { ...given });
    await each((change) => make(change, context));
  });
  return failures;
}

/** @throws ChimeError `disk.same`, for either of the two */
function requireDifferent({ id, planned }: DiskChange, all: readonly DiskChange[]): void {
  const { path, number } = planned.facts.device;
  if (!all.some((other) => other.id !== id && other.planned.facts.device.number === number)) return;
  throw refused("disk.same", `${path} was given twice`, { remedy: "give each disk once" });
}

/** @throws ChimeError `disk.changed`, and all that `requireEmpty` does */
async function requireUnchanged({ given, planned }: DiskChange): Promise<void> {
  const { facts } = await requireEmpty(given);
  if (facts.stableName === planned.facts.stableName && facts.state === planned.facts.state) return;
  throw refused("disk.changed", `${describeDisk(identify(facts))} changed since it was planned`, {
    remedy: "look at chime-node plan, then run this again",
  });
}

async function make({ given, planned }: DiskChange, context: ApplyContext): Promise<void> {
  const { label, uuid } = given;
  const { path } = planned.facts.device;
  const { signal } = context;
  context.progress(`formatting ${path} as ${label}`);
  const argv = ["mkfs.xfs", "-q", "-L", label, "-m", `uuid=${uuid}`, path];
  await exec(argv, { timeoutMs: mkfsTimeoutMs, signal, onAbort: "leave" });
  const head = await readXfsHead(path);
  if (head?.uuid === uuid && head.label === label && !head.inProgress) return;
  throw failed("disk.not_made", `mkfs.xfs ended well, but ${path} does not carry ${label}`, {
    remedy: "look at the kernel's log: journalctl --dmesg",
  });
}

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { refused } from "../../core/errors.ts";
import { lockDisk } from "./hold.ts";
import { identify, isSameDisk, type DiskIdentity } from "./identity.ts";
import { lookAtDisks } from "./look.ts";
import type { GivenDisk } from "./record.ts";
import { findOneXfs, readXfsHead } from "./xfs.ts";

const MiB = 2 ** 20;

/**
 * Makes a disk of ours blank again, by the rules that it was taken by: its first and last MiB are zeros. What lay between
 * is not overwritten. Only the file system with both our label and our UUID is taken off, from a disk that nobody holds.
 * One that was erased before, or never written to, is blank by now.
 * @returns why it is not, where no disk carries that file system; undefined: it is
 * @throws ChimeError `disk.half_ours`, `disk.twice`, `disk.busy`, and as `lockDisk`
 */
export async function eraseGiven({ uuid, label, identity }: GivenDisk): Promise<string | undefined> {
  const one = await findOneXfs(uuid);
  if (!one) return whyNotBlank(identity);
  const { path, size } = one.device;
  await using _ = await lockDisk(one.device);
  const handle = await open(path, constants.O_RDWR | constants.O_EXCL | constants.O_NONBLOCK).catch(
    (error: Error) => {
      throw refused("disk.busy", `${path} is still in use: ${error.message}`, {
        remedy: `umount ${path}, then run this again`,
      });
    },
  );
  try {
    const head = await readXfsHead(path);
    if (head?.uuid !== uuid || head.label !== label) {
      throw refused("disk.half_ours", `${path} carries our file system ${uuid} under another name`, {
        remedy: `if it is ours: wipefs --all ${path}`,
      });
    }
    const zeros = Buffer.alloc(MiB);
    await handle.write(zeros, 0, MiB, size - MiB);
    await handle.write(zeros, 0, MiB, 0);
    await handle.sync();
    return undefined;
  } finally {
    await handle.close();
  }
}

/** A disk that cannot be read carries nothing either, as far as can be told: so the disk itself is looked for. */
async function whyNotBlank(identity: DiskIdentity): Promise<string | undefined> {
  const { serial, wwn, size } = identity;
  const alike = await lookAtDisks(
    (other) => other.serial === serial && other.wwn === wwn && other.size === size,
  );
  const found = alike.find(({ facts }) => isSameDisk(identity, identify(facts)));
  if (!found) return "it is not in this machine";
  if (found.verdict.usable) return undefined;
  return `its file system was not found on it, and it ${found.verdict.reason?.message ?? "is not blank"}`;
}

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { refused } from "../../core/errors.ts";
import { lockDisk } from "./hold.ts";
import type { GivenDisk } from "./record.ts";
import { findOneXfs, readXfsHead } from "./xfs.ts";

const MiB = 2 ** 20;

/**
 * Makes a disk of ours blank again, by the rules that it was taken by: its first and last MiB are zeros. What lay between
 * is not overwritten. Only the file system with both our label and our UUID is taken off, from a disk that nobody holds.
 * @returns the disk's path; undefined where no disk carries it
 * @throws ChimeError `disk.half_ours`, `disk.twice`, `disk.busy`, and as `lockDisk`
 */
export async function eraseGiven({
  uuid,
  label,
}: Pick<GivenDisk, "uuid" | "label">): Promise<string | undefined> {
  const one = await findOneXfs(uuid);
  if (!one) return undefined;
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
    return path;
  } finally {
    await handle.close();
  }
}

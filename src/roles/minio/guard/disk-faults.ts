import { failed } from "../../../core/errors.ts";
import { pathUnit } from "../../../host/systemd.ts";
import { breakFor, fullDisk, lastsSeconds } from "../../drill-unit.ts";
import { givenDisks } from "../given.ts";
import type { Redundancy } from "./redundancy.ts";

/** What a drill does to one disk of a node. */
type DiskFault = "disk-pulled" | "disk-full";

/**
 * `disk-pulled`: the file system is taken away under the running server, which finds the empty place instead; it is
 * written to no more, and nothing on it changes.
 */
const scripts: Record<DiskFault, string> = {
  "disk-pulled": `umount --lazy "$1" && sleep ${lastsSeconds}`,
  "disk-full": fullDisk,
};

/** Breaks this node's first disk for some seconds. @throws ChimeError of `breakFor` */
async function breakDisk(fault: DiskFault): Promise<void> {
  const [disk] = givenDisks();
  if (!disk) throw failed("drill.no_disk", "this node has given no disk to the store");
  const mount = ["/bin/systemctl", "start", pathUnit(disk.at, "mount")];
  await breakFor(scripts[fault], disk.at, mount);
}

export const isDiskFault = (word: string): word is DiskFault => word in scripts;

/** The same as a drill does it. The server may not tell of a disk that is away for so short a time, or full: what that lacks is completed all the same. */
export async function drillDisk(fault: DiskFault, redundancy: Pick<Redundancy, "down">): Promise<void> {
  await redundancy.down();
  try {
    await breakDisk(fault);
  } finally {
    await redundancy.down();
  }
}

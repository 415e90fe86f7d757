import { readdirSync } from "node:fs";
import { isMissing } from "../files.ts";
import { numberAt } from "./number.ts";

/** Links that name what is on a device, or a mapping, and not the disk. */
const notTheDisk = /^(dm-|lvm-pv-uuid-|md-)/;
/** Exact, but nobody finds such a number on a label. */
const bareNumber = /^(wwn-|nvme-eui\.|nvme-uuid\.|nvme-nvme\.|scsi-[0-9a-f]{17,}$|scsi-SATA)/;

/**
 * Device number → the best of its names that outlive a reboot: model and serial, else a WWN, else the place it is
 * plugged in. Where udev does not run there is none.
 */
export function readStableNames(): Map<string, string> {
  const names = new Map<string, string>();
  for (const directory of ["/dev/disk/by-id", "/dev/disk/by-path"]) {
    for (const name of list(directory)
      .filter((name) => !notTheDisk.test(name))
      .sort(bySense)) {
      const number = numberAt(`${directory}/${name}`);
      if (number !== undefined && !names.has(number)) names.set(number, `${directory}/${name}`);
    }
  }
  return names;
}

function bySense(a: string, b: string): number {
  const bare = Number(bareNumber.test(a)) - Number(bareNumber.test(b));
  return bare || (a < b ? -1 : 1);
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

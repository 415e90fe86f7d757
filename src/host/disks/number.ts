import { statSync, type Stats } from "node:fs";

/** `MAJOR:MINOR` of a dev_t as stat(2) gives it (makedev(3)). */
export function toNumber(device: number): string {
  const high = Math.floor(device / 2 ** 32);
  const low = device % 2 ** 32;
  const major = ((low >>> 8) & 0xfff) + (high & 0xfffff000);
  const minor = (low & 0xff) + ((low >>> 12) & 0xfff00);
  return `${major}:${minor}`;
}

/** The block device that a path leads to; undefined where there is none. */
export function numberAt(path: string): string | undefined {
  return blockNumber(statSync(path, { throwIfNoEntry: false }));
}

/** Undefined for what is no block device. */
export function blockNumber(info: Stats | undefined): string | undefined {
  return info?.isBlockDevice() ? toNumber(info.rdev) : undefined;
}

import { sizeText } from "../../core/size.ts";
import type { Disk } from "./look.ts";

/** `auto:3x4T`: so many disks of about that size. */
export interface Auto {
  count: number;
  /** Bytes, as it is printed on a disk, or shown by `disks`. */
  size: number;
  /** The smallest that this may stand for. */
  least: number;
}

const form = /^auto:([1-9]\d?)x([1-9]\d{0,4})(\.\d)?([GT])(i?)$/;

/** Pure: undefined for what is not of that form. `T` is 10¹², `Ti` is 2⁴⁰, by which `disks` shows rounded sizes. */
export function parseAuto(word: string): Auto | undefined {
  const [, count, whole, tenth = "", letter, binary] = form.exec(word) ?? [];
  if (!count || !whole) return undefined;
  const unit = (binary ? 1024 : 1000) ** (letter === "T" ? 4 : 3);
  const rounded = binary || tenth ? (tenth ? 0.05 : 0.5) : 0;
  const number = Number(whole + tenth);
  return { count: Number(count), size: number * unit, least: Math.ceil((number - rounded) * unit) };
}

/** What is sold as 4 T may be 4·10¹² bytes, or 4 TiB, which are a tenth more. */
const tolerance = 1.1;

/**
 * Pure: the free disks that would be taken, all of exactly one size, the first ones by name.
 * @param fit how many there were to choose from
 * @returns why there are none, instead
 */
export function propose(
  { count, size, least }: Auto,
  disks: readonly Disk[],
): { disks: Disk[]; fit: number } | string {
  const free = disks.filter(({ verdict }) => verdict.usable);
  const fit = free.filter(({ facts: { device } }) => device.size >= least && device.size < size * tolerance);
  const bySize = Map.groupBy(fit, ({ facts }) => facts.device.size);
  const enough = [...bySize.values()].filter((equal) => equal.length >= count);
  const [equal, other] = enough;
  if (!equal) {
    const most = Math.max(0, ...[...bySize.values()].map((equal) => equal.length));
    return `finds only ${most} free ${most === 1 ? "disk" : "disks"} of one size; ${told(free)}`;
  }
  if (other) return `finds enough free disks of ${enough.length} sizes, and cannot tell which are meant`;
  const sorted = equal.toSorted((a, b) => compare(a.facts.stableName, b.facts.stableName));
  return { disks: sorted.slice(0, count), fit: equal.length };
}

/** Which sizes there are. */
function told(free: readonly Disk[]): string {
  const sizes = [...Map.groupBy(free, ({ facts }) => facts.device.size)].toSorted(([a], [b]) => a - b);
  if (sizes.length === 0) return "no disk is free";
  return `free: ${sizes.map(([size, of]) => `${of.length} of ${sizeText(size)}`).join(", ")}`;
}

/** sdb before sdaa, loop9 before loop10. */
function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

import type { Disk } from "./look.ts";

/** `auto:3x4T`: so many disks of about that size. */
export interface Auto {
  count: number;
  /** Bytes, as it is printed on a disk. */
  size: number;
}

const form = /^auto:([1-9]\d?)x([1-9]\d{0,4})([GT])(i?)$/;

/** Pure: undefined for what is not of that form. `T` is 10¹², `Ti` is 2⁴⁰. */
export function parseAuto(word: string): Auto | undefined {
  const [, count, number, unit, binary] = form.exec(word) ?? [];
  if (!count || !number) return undefined;
  const power = unit === "T" ? 4 : 3;
  return { count: Number(count), size: Number(number) * (binary ? 1024 : 1000) ** power };
}

/** What is sold as 4 T may be 4·10¹² bytes, or 4 TiB, which are a tenth more. */
const tolerance = 1.1;

/**
 * Pure: the free disks that would be taken, all of exactly one size, the first ones by name.
 * @param fit how many there were to choose from
 * @returns why there are none, instead
 */
export function propose(
  { count, size }: Auto,
  disks: readonly Disk[],
): { disks: Disk[]; fit: number } | string {
  const fit = disks.filter(
    ({ facts: { device }, verdict }) =>
      verdict.usable && device.size >= size && device.size < size * tolerance,
  );
  const bySize = new Map<number, Disk[]>();
  for (const disk of fit) {
    const { size } = disk.facts.device;
    bySize.set(size, [...(bySize.get(size) ?? []), disk]);
  }
  const enough = [...bySize.values()].filter((equal) => equal.length >= count);
  const [equal, other] = enough;
  if (!equal) {
    const most = Math.max(0, ...[...bySize.values()].map((equal) => equal.length));
    return `finds only ${most} free ${most === 1 ? "disk" : "disks"} of one size`;
  }
  if (other) return `finds enough free disks of ${enough.length} sizes, and cannot tell which are meant`;
  const sorted = equal.toSorted((a, b) => compare(a.facts.stableName, b.facts.stableName));
  return { disks: sorted.slice(0, count), fit: equal.length };
}

/** sdb before sdaa, loop9 before loop10. */
function compare(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

import { sizeText } from "../core/size.ts";
import type { DiskReport } from "../operations/disks.ts";
import type { Style } from "./style.ts";
import { table } from "./table.ts";

/** The free ones first, since they are what one looks for. */
export function renderDisks(disks: readonly DiskReport[], style: Style): string {
  if (disks.length === 0) return "this machine has no block device";
  const sorted = disks.toSorted((a, b) => Number(b.usable) - Number(a.usable));
  const rows = sorted.map((disk) => [
    disk.name,
    disk.kernel_name,
    sizeText(disk.size_bytes),
    disk.model ?? "-",
    disk.serial ?? disk.wwn ?? "-",
    carried(disk.carries),
    disk.usable ? style.green("yes") : "no",
    disk.reason?.message ?? disk.warnings.join("; "),
  ]);
  return table([["NAME", "KERNEL", "SIZE", "MODEL", "SERIAL", "CARRIES", "USABLE", "WHY"], ...rows]);
}

/** Enough to know the disk again; --json has them all. */
function carried(things: readonly string[]): string {
  if (things.length === 0) return "-";
  return things.length > 3 ? `${things.slice(0, 3).join(", ")}, …` : things.join(", ");
}

import { lookAtDisks, type Disk } from "../host/disks/look.ts";
import { requireRoot } from "./context.ts";

/** One device in `disks --json`. */
export interface DiskReport {
  /** The best name that outlives a reboot. */
  name: string;
  kernel_name: string;
  type: string;
  size_bytes: number;
  model: string | null;
  serial: string | null;
  wwn: string | null;
  /** Signatures that were found, partitions, mounts: what one would miss. */
  carries: string[];
  usable: boolean;
  /** The first reason why not; null when usable. */
  reason: { code: string; message: string } | null;
  warnings: string[];
}

/** `disks`: every block device of this machine, usable or why not. */
export async function listDisks(): Promise<DiskReport[]> {
  requireRoot();
  return (await lookAtDisks()).map(reportOf);
}

function reportOf({ facts, verdict }: Disk): DiskReport {
  const { device, stableName } = facts;
  return {
    name: stableName,
    kernel_name: device.kernelName,
    type: device.type,
    size_bytes: device.size,
    model: device.model,
    serial: device.serial,
    wwn: device.wwn,
    carries: carriesOf(facts),
    usable: verdict.usable,
    reason: verdict.reason,
    warnings: verdict.warnings,
  };
}

function carriesOf({ content, partitions, holders, mounts }: Disk["facts"]): string[] {
  return [
    ...content.signatures,
    ...partitions,
    ...holders,
    ...mounts.filter(({ where }) => where === null).map(({ target }) => `mounted at ${target}`),
  ];
}

import { readFileSync } from "node:fs";
import * as v from "valibot";
import { sizeText } from "../../core/size.ts";
import type { DiskFacts } from "./types.ts";

const known = v.nullable(v.pipe(v.string(), v.maxLength(300)));

/** How a disk is told from all others: by its numbers, wherever it is plugged in; without any by its place and size. */
export const identitySchema = v.object({
  /** The best name that outlives a reboot, as it was. */
  name: v.pipe(v.string(), v.maxLength(300)),
  model: known,
  serial: known,
  wwn: known,
  /** Bytes. */
  size: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** The kernel's word for it, and the boot that the word is good for. */
  state: v.pipe(v.string(), v.maxLength(300)),
  boot: v.pipe(v.string(), v.maxLength(100)),
});
export type DiskIdentity = v.InferOutput<typeof identitySchema>;

export function identify({ device, stableName, state }: DiskFacts, boot: string = readBoot()): DiskIdentity {
  const { model, serial, wwn, size } = device;
  return { name: stableName, model, serial, wwn, size, state, boot };
}

/**
 * Pure: whether both are one disk. Where it has no number of its own, the same name and size have to do, and, as long as
 * the machine has not been booted, that the kernel has seen nothing else come under that name.
 */
export function isSameDisk(one: DiskIdentity, other: DiskIdentity): boolean {
  if (one.size !== other.size || one.serial !== other.serial || one.wwn !== other.wwn) return false;
  if (hasNumber(one)) return true;
  return one.name === other.name && (one.boot !== other.boot || one.state === other.state);
}

/** Pure: for people, with the numbers that are printed on it. */
export function describeDisk(disk: DiskIdentity): string {
  const { name, model, serial, wwn, size } = disk;
  const numbers = [
    model,
    serial && `serial ${serial}`,
    wwn && `WWN ${wwn}`,
    hasNumber(disk) ? null : "no serial number: known by its name and size only",
    sizeText(size),
  ];
  return `${name} (${numbers.filter((one) => one !== null && one !== "").join(", ")})`;
}

function hasNumber({ serial, wwn }: DiskIdentity): boolean {
  return serial !== null || wwn !== null;
}

function readBoot(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

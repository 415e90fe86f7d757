import type { DiskIdentity } from "./identity.ts";
import { lookAtDisks, type Disk } from "./look.ts";
import { numberAt } from "./number.ts";
import { shared } from "./shared.ts";
import type { Device } from "./types.ts";

let wanted: DiskIdentity[] = [];

const look = shared(() => {
  const now = wanted;
  wanted = [];
  return lookAtDisks((device) => now.some((one) => mayBe(one, device)));
});

/** What is on this machine now that may be that disk; others' are left alone. */
export function lookFor(identity: DiskIdentity): Promise<Disk[]> {
  wanted.push(identity);
  return look();
}

function mayBe({ name, serial, wwn, size }: DiskIdentity, device: Device): boolean {
  if (serial !== device.serial || wwn !== device.wwn || size !== device.size) return false;
  return serial !== null || wwn !== null || numberAt(name) === device.number;
}

import { ptr } from "bun:ffi";
import { libc } from "./libc.ts";

/** `struct timex` of <linux/timex.h> on 64-bit machines: its size with room for later fields, and where `maxerror` is. */
const size = 208;
const maxErrorAt = 24;

/** What the kernel lets the error grow to where nobody corrects the clock, in microseconds (NTP_PHASE_LIMIT). */
const limit = 16_000_000n;

/**
 * Whether somebody keeps the clock right, as timedatectl's NTPSynchronized tells it: by the kernel's estimate of the
 * error. Asked of the kernel itself, for timedated would have to be started for the answer.
 * @returns null where it may not be asked, as in the agent
 */
export function readClockSynchronized(): boolean | null {
  // All zero: nothing is to be set.
  const timex = new Uint8Array(size);
  return libc().adjtimex(ptr(timex)) < 0 ? null : parseTimex(timex);
}

/** Pure. @param timex as adjtimex(2) filled it */
export function parseTimex(timex: Uint8Array): boolean {
  return new DataView(timex.buffer, timex.byteOffset).getBigInt64(maxErrorAt, true) < limit;
}

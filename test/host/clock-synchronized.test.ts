import { expect, test } from "bun:test";
import { exec } from "../../src/core/exec.ts";
import { parseTimex, readClockSynchronized } from "../../src/host/clock-synchronized.ts";

/** A struct timex with this estimate of the error, in microseconds. */
function timex(maxError: bigint): Uint8Array {
  const bytes = new Uint8Array(208);
  new DataView(bytes.buffer).setBigInt64(24, maxError, true);
  return bytes;
}

test.each([
  [0n, true],
  [1_500n, true],
  [15_999_999n, true],
  [16_000_000n, false],
  [20_000_000n, false],
])("an error of up to %p microseconds: %p", (error, synchronized) => {
  expect(parseTimex(timex(error))).toBe(synchronized);
});

// The layout of the struct is the machine's: its own program reads the same field.
test("agrees with another reader of the kernel's answer", async () => {
  const script = `use strict; my $t = "\\0" x 208;
    die "adjtimex: $!" if syscall(${process.arch === "arm64" ? 171 : 159}, $t) < 0;
    my ($modes, $offset, $freq, $maxerror) = unpack("i x4 q q q", $t);
    print $maxerror < 16000000 ? "true" : "false"`;
  const { stdout } = await exec(["perl", "-e", script]);
  expect(readClockSynchronized()).toBe(stdout === "true");
});

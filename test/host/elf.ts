const machines: Record<string, number> = { x64: 62, arm64: 183 };

/**
 * What looks like a program of this machine, and holds that text.
 * @param loaded bytes of it that its one segment says it has; default: all of them
 */
export function elf(
  text: string,
  { machine = machines[process.arch] ?? 0, loaded }: { machine?: number; loaded?: number } = {},
): Buffer<ArrayBuffer> {
  const head = Buffer.alloc(64 + 56);
  head.writeUInt32BE(0x7f454c46, 0);
  head.set([2, 1, 1], 4);
  head.writeUInt16LE(machine, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(1, 56);
  const bytes = Buffer.concat([head, Buffer.from(text)]);
  bytes.writeBigUInt64LE(BigInt(loaded ?? bytes.length), 64 + 32);
  return bytes;
}

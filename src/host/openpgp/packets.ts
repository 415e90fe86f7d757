import { failed, type ChimeError } from "../../core/errors.ts";

export interface Packet {
  /** RFC 9580 §5. */
  tag: number;
  body: Uint8Array;
  /** Header and body, as they stand in the file. */
  whole: Uint8Array;
}

/** Splits a file into its packets. @throws ChimeError `openpgp.broken` for anything that is not made of whole ones */
export function readPackets(bytes: Uint8Array): Packet[] {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length;) {
    const { tag, header, length } = readHeader(bytes.subarray(at));
    const end = at + header + length;
    if (end > bytes.length) throw broken("it ends within a packet");
    packets.push({ tag, body: bytes.subarray(at + header, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return packets;
}

/** RFC 9580 §4.2. Lengths that are not known beforehand are for data, not for keys. */
function readHeader(bytes: Uint8Array): { tag: number; header: number; length: number } {
  const [first = 0] = bytes;
  if (first < 0x80) throw broken("a packet does not begin as one");
  if (first & 0x40) {
    const { size, length } = readLength(bytes.subarray(1));
    return { tag: first & 0x3f, header: 1 + size, length };
  }
  const size = [1, 2, 4][first & 3];
  if (size === undefined) throw broken("a packet has no length");
  return { tag: (first >> 2) & 0xf, header: 1 + size, length: readNumber(bytes.subarray(1), size) };
}

/** The length of a packet of today's form, or of a subpacket (RFC 9580 §4.2.1, §5.2.3.7). */
export function readLength(bytes: Uint8Array, partial = true): { size: number; length: number } {
  const [first = 0] = bytes;
  if (first < 192) return { size: 1, length: readNumber(bytes, 1) };
  if (first === 255) return { size: 5, length: readNumber(bytes.subarray(1), 4) };
  if (partial && first >= 224) throw broken("a packet comes in parts");
  return { size: 2, length: ((first - 192) << 8) + readNumber(bytes.subarray(1), 1) + 192 };
}

/** Big-endian. */
export function readNumber(bytes: Uint8Array, size: number): number {
  if (bytes.length < size) throw broken("it ends within a number");
  return bytes.subarray(0, size).reduce((number, byte) => number * 256 + byte, 0);
}

export function broken(why: string): ChimeError {
  return failed("openpgp.broken", `the key file is broken: ${why}`);
}

/** The address as a number, or undefined if the text is no dotted quad. */
export function ipv4Number(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

/** Whether `address` is in the subnet of `member/prefix`. False where either is no IPv4 address. */
export function inSubnet(address: string, member: string, prefix: number): boolean {
  const a = ipv4Number(address);
  const b = ipv4Number(member);
  if (a === undefined || b === undefined) return false;
  const size = 2 ** (32 - prefix);
  return Math.floor(a / size) === Math.floor(b / size);
}

/** The four bytes in network order. The caller has made sure that it is an address. */
export function ipv4Bytes(address: string): Uint8Array {
  return Uint8Array.from(address.split("."), Number);
}

/**
 * Of what an IPv4 packet without options carries, whose own checksum is still 0: over a pseudo header of both addresses,
 * protocol and length, and over it (RFC 9293 §3.1, RFC 9568 §5.2.8). @param packet of an even length
 */
export function transportChecksum(packet: Uint8Array): number {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let sum = view.getUint8(9) + packet.length - 20;
  for (let at = 12; at < packet.length; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

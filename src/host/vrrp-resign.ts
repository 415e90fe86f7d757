import { ipv4Bytes, transportChecksum } from "./ipv4.ts";
import { internetAddress, openSendingSocket } from "./raw-socket.ts";

export interface Resignation {
  virtualRouterId: number;
  /** Of this node's adverts, ms. */
  intervalMs: number;
  /** This node's own address. */
  from: string;
  /** The router that hears it. */
  to: string;
  /** The virtual router's. */
  address: string;
}

/**
 * Tells another VRRP router that this node has no part in the virtual router any more, as a master does that stops: it
 * need not wait for adverts (RFC 9568 §6.4.2: priority 0).
 * @throws ChimeError `net.raw_socket`
 */
export function resign(resignation: Resignation): void {
  const socket = openSendingSocket();
  try {
    socket.send(resignationOf(resignation), internetAddress(ipv4Bytes(resignation.to)));
  } finally {
    socket.close();
  }
}

/** Pure: an IPv4 header, whose checksum and length are the kernel's, and an advert of VRRP 3 (RFC 9568 §5.2). */
export function resignationOf({ virtualRouterId, intervalMs, from, to, address }: Resignation): Uint8Array {
  const packet = new Uint8Array(32);
  // Time to live 255: none that was routed counts.
  packet.set([0x45, 0, 0, 32, 0, 0, 0, 0, 255, 112], 0);
  packet.set(ipv4Bytes(from), 12);
  packet.set(ipv4Bytes(to), 16);
  // Version 3, an advert, priority 0, one address.
  packet.set([0x31, virtualRouterId, 0, 1], 20);
  const view = new DataView(packet.buffer);
  view.setUint16(24, intervalMs / 10);
  packet.set(ipv4Bytes(address), 28);
  view.setUint16(26, transportChecksum(packet));
  return packet;
}

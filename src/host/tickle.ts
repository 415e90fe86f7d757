import { ipv4Bytes, transportChecksum } from "./ipv4.ts";
import { internetAddress, openSendingSocket } from "./raw-socket.ts";
import type { Connection } from "./tcp.ts";

/**
 * Has the other ends find out that their connections are gone: each is sent an acknowledgement that fits nothing, which
 * it answers to whoever has the address now (RFC 9293 §3.10.7.4), and is told that there is no such connection. Without
 * it, who waits for an answer waits until its own patience ends: it has nothing to send that could be refused. A
 * connection that lives answers, and goes on.
 * @param connections as the one that had their local address before knew them
 * @throws ChimeError `net.raw_socket`
 */
export function tickle(connections: readonly Connection[]): void {
  const socket = openSendingSocket();
  try {
    for (const connection of connections) {
      socket.send(tickleOf(connection), internetAddress(ipv4Bytes(connection.remote.address)));
    }
  } finally {
    socket.close();
  }
}

/** Pure: IPv4 (RFC 791 §3.1; its checksum and length are the kernel's) and TCP (RFC 9293 §3.1), each without options. */
export function tickleOf({ local, remote }: Connection): Uint8Array {
  const packet = new Uint8Array(40);
  const view = new DataView(packet.buffer);
  packet.set([0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6], 0);
  packet.set(ipv4Bytes(local.address), 12);
  packet.set(ipv4Bytes(remote.address), 16);
  view.setUint16(20, local.port);
  view.setUint16(22, remote.port);
  // Sequence and acknowledgement 0; five words of header, ACK.
  view.setUint16(32, 0x5010);
  view.setUint16(36, transportChecksum(packet));
  return packet;
}

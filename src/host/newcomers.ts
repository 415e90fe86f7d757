import { ipv4Number } from "./ipv4.ts";
import type { Instruction } from "./packet-filter.ts";
import { openFilteredSocket } from "./raw-socket.ts";
import type { Connection } from "./tcp.ts";

/** Who begins a TCP connection to an address of this machine. */
export interface Newcomers {
  /** All since the last time, without waiting. */
  read(): Connection[];
  close(): void;
}

/** More at a time wait for the next one: a machine that takes so many has other things to do, too. */
export const mostNewcomers = 1_000;

/** Hears each first packet of a connection (SYN without ACK) that comes to the address. @throws ChimeError `net.raw_socket` */
export function openNewcomers(address: string): Newcomers {
  const socket = openFilteredSocket(firstPackets(address));
  return {
    read() {
      const found: Connection[] = [];
      for (let packet = socket.receive(); packet; packet = socket.receive()) {
        found.push(connectionOf(packet));
        if (found.length === mostNewcomers) break;
      }
      return found;
    },
    close: () => socket.close(),
  };
}

/** Pure: IPv4 (RFC 791 §3.1) of TCP to the address, with SYN and without ACK (RFC 9293 §3.1). */
export function firstPackets(address: string): Instruction[] {
  const [to, headers] = [ipv4Number(address) ?? 0, 64];
  return [
    [0x30, 0, 0, 9], // protocol
    [0x15, 0, 7, 6],
    [0x20, 0, 0, 16], // destination
    [0x15, 0, 5, to],
    [0xb1, 0, 0, 0], // where the IP header ends
    [0x50, 0, 0, 13], // flags
    [0x54, 0, 0, 0x12],
    [0x15, 0, 1, 0x02],
    [0x06, 0, 0, headers],
    [0x06, 0, 0, 0],
  ];
}

/** Pure: by a packet's headers. */
export function connectionOf(packet: Uint8Array): Connection {
  const view = new DataView(packet.buffer, packet.byteOffset);
  const tcp = 4 * (view.getUint8(0) & 0x0f);
  return {
    local: { address: packet.subarray(16, 20).join("."), port: view.getUint16(tcp + 2) },
    remote: { address: packet.subarray(12, 16).join("."), port: view.getUint16(tcp) },
  };
}

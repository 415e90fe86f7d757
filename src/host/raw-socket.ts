import { failed } from "../core/errors.ts";
import { libc } from "./libc.ts";
import { attachFilter, type Instruction } from "./packet-filter.ts";

/** Linux numbers, the same on x64 and arm64 (socket(2), packet(7), ip(7)). */
const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_IP = 0;
const IP_ADD_MEMBERSHIP = 35;
const IPPROTO_RAW = 255;

/** Larger than any packet of the protocols we listen to (ARP 28 bytes, VRRP below 1 KB). */
const packetLimit = 2048;

/** A non-blocking raw socket. The runtime has none of its own, so this is libc by its C interface. */
export interface RawSocket {
  /** Sends to a link-layer or network address given as a `sockaddr`. False where the kernel refused. */
  send(packet: Uint8Array, to: Uint8Array): boolean;
  /** The next packet that waits; undefined when there is none. */
  receive(): Uint8Array | undefined;
  close(): void;
}

/** Packets of one ethertype on one interface, without their Ethernet header. @throws ChimeError `net.raw_socket` */
export function openPacketSocket(interfaceName: string, etherType: number): RawSocket {
  const fd = open(AF_PACKET, SOCK_DGRAM, swap16(etherType));
  const address = linkAddress(interfaceName, etherType);
  return libc().bind(fd, address, address.length) === 0 ? wrap(fd) : giveUp(fd, `use ${interfaceName}`);
}

const ETH_P_IP = 0x0800;

/** IPv4 packets on any interface that the filter keeps, with their IP header. @throws ChimeError `net.raw_socket` */
export function openFilteredSocket(filter: readonly Instruction[]): RawSocket {
  // No protocol yet: it hears nothing before it has its filter.
  const fd = open(AF_PACKET, SOCK_DGRAM, 0);
  const address = linkAddress("", ETH_P_IP);
  const isReady = attachFilter(fd, filter) && libc().bind(fd, address, address.length) === 0;
  return isReady ? wrap(fd) : giveUp(fd, "listen with a filter");
}

/** IP packets of one protocol, with their IP header, of a multicast group too. @throws ChimeError `net.raw_socket` */
export function openMulticastSocket(interfaceName: string, protocol: number, group: Uint8Array): RawSocket {
  const fd = open(AF_INET, SOCK_RAW, protocol);
  // struct ip_mreqn: group, local address (any), interface index.
  const request = new Uint8Array(12);
  request.set(group, 0);
  new DataView(request.buffer).setInt32(8, interfaceIndex(interfaceName), true);
  const joined = libc().setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, request, request.length);
  return joined === 0 ? wrap(fd) : giveUp(fd, `listen on ${interfaceName}`);
}

/** For packets with an IP header of their own making (raw(7)); it receives none. @throws ChimeError `net.raw_socket` */
export function openSendingSocket(): RawSocket {
  return wrap(open(AF_INET, SOCK_RAW, IPPROTO_RAW));
}

/** `struct sockaddr_in` (ip(7)). */
export function internetAddress(address: Uint8Array, port = 0): Uint8Array {
  const name = new Uint8Array(16);
  new DataView(name.buffer).setUint16(0, AF_INET, true);
  new DataView(name.buffer).setUint16(2, port);
  name.set(address, 4);
  return name;
}

/** `struct sockaddr_ll` (packet(7)); without a hardware address it names the interface alone. */
export function linkAddress(interfaceName: string, etherType: number, hardware?: Uint8Array): Uint8Array {
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, etherType, false);
  view.setInt32(4, interfaceIndex(interfaceName), true);
  if (hardware) {
    address[11] = hardware.length;
    address.set(hardware, 12);
  }
  return address;
}

function interfaceIndex(name: string): number {
  return libc().if_nametoindex(Buffer.from(`${name}\0`));
}

function open(family: number, type: number, protocol: number): number {
  const fd = libc().socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) throw failed("net.raw_socket", "the kernel gave no raw socket", "run this as root");
  return fd;
}

function giveUp(fd: number, what: string): never {
  libc().close(fd);
  throw failed("net.raw_socket", `a raw socket cannot ${what}`, "look at the interface with: ip link");
}

function wrap(fd: number): RawSocket {
  const buffer = new Uint8Array(packetLimit);
  return {
    send: (packet, to) =>
      Number(libc().sendto(fd, packet, packet.length, 0, to, to.length)) === packet.length,
    receive() {
      const length = Number(libc().recv(fd, buffer, buffer.length, 0));
      return length < 0 ? undefined : buffer.slice(0, length);
    },
    close: () => void libc().close(fd),
  };
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}

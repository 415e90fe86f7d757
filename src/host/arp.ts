import { networkInterfaces } from "node:os";
import { type Clock, systemClock } from "../core/clock.ts";
import { ipv4Bytes } from "./ipv4.ts";
import { linkAddress, openPacketSocket } from "./raw-socket.ts";

const etherTypeArp = 0x0806;
const broadcast = new Uint8Array(6).fill(0xff);

/** RFC 5227 §2.1.1 sends three probes; a host that lives answers the first within milliseconds. */
const probes = 3;
const pollMs = 10;

export interface ArpOptions {
  /** How long to wait for answers in all. Default 450 ms. */
  timeoutMs?: number;
  clock?: Clock;
}

/**
 * Asks the network on one interface who has these addresses: address → hardware address, of those that answer.
 * ARP probes name no sender (RFC 5227), so nobody's neighbour table changes; no host can refuse them as it can a
 * ping. Own addresses do not answer: the kernel does not hear itself.
 * @throws ChimeError `net.raw_socket`
 */
export async function whoHas(
  addresses: readonly string[],
  interfaceName: string,
  options: ArpOptions = {},
): Promise<Map<string, string>> {
  const own = hardwareAddress(interfaceName);
  const to = linkAddress(interfaceName, etherTypeArp, broadcast);
  const socket = openPacketSocket(interfaceName, etherTypeArp);
  const probe = (address: string) => void socket.send(arpProbe(own, address), to);
  try {
    return await collect(addresses, probe, () => socket.receive(), options);
  } finally {
    socket.close();
  }
}

/**
 * Probes until all have answered or the time is up. After each probe it is read once more, however late that is: what
 * came while this process stood still is there.
 */
export async function collect(
  addresses: readonly string[],
  probe: (address: string) => void,
  receive: () => Uint8Array | undefined,
  { timeoutMs = 450, clock = systemClock }: ArpOptions,
): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  const missing = () => addresses.filter((address) => !answers.has(address));
  for (let sent = 1, end = clock.now(); sent <= probes && missing().length > 0; sent++) {
    for (const address of missing()) probe(address);
    end += timeoutMs / probes;
    do {
      await clock.sleep(pollMs);
      for (let packet = receive(); packet; packet = receive()) {
        const said = parseArp(packet);
        if (said && addresses.includes(said.address)) answers.set(said.address, said.hardware);
      }
    } while (missing().length > 0 && clock.now() < end);
  }
  return answers;
}

/**
 * Tells every neighbour on the interface that the address is here from now on.
 * @throws ChimeError `net.raw_socket`
 */
export function announceArp(address: string, interfaceName: string): void {
  const socket = openPacketSocket(interfaceName, etherTypeArp);
  try {
    const packet = arpAnnouncement(hardwareAddress(interfaceName), address);
    socket.send(packet, linkAddress(interfaceName, etherTypeArp, broadcast));
  } finally {
    socket.close();
  }
}

/** A request of `address` for itself, which changes neighbours' tables (RFC 5227 §3). */
export function arpAnnouncement(hardware: Uint8Array, address: string): Uint8Array {
  const packet = arpProbe(hardware, address);
  packet.set(ipv4Bytes(address), 14);
  return packet;
}

/** `ar_op` request from address 0.0.0.0 for `address` (RFC 826, RFC 5227 §1.1). */
export function arpProbe(hardware: Uint8Array, address: string): Uint8Array {
  const packet = new Uint8Array(28);
  packet.set([0, 1, 8, 0, 6, 4, 0, 1]);
  packet.set(hardware, 8);
  packet.set(ipv4Bytes(address), 24);
  return packet;
}

/** Who an ARP packet says to be, request or reply; undefined for probes and anything malformed. */
export function parseArp(packet: Uint8Array): { address: string; hardware: string } | undefined {
  if (packet.length < 28) return undefined;
  const [, hardwareType, protocolHigh, protocolLow, hardwareLength, protocolLength, , operation] = packet;
  const ethernetIpv4 =
    hardwareType === 1 &&
    protocolHigh === 8 &&
    protocolLow === 0 &&
    hardwareLength === 6 &&
    protocolLength === 4;
  if (!ethernetIpv4 || (operation !== 1 && operation !== 2)) return undefined;
  const address = packet.slice(14, 18).join(".");
  if (address === "0.0.0.0") return undefined;
  return {
    address,
    hardware: Buffer.from(packet.slice(8, 14))
      .toString("hex")
      .replaceAll(/..(?=.)/g, "$&:"),
  };
}

function hardwareAddress(interfaceName: string): Uint8Array {
  const text = networkInterfaces()[interfaceName]?.[0]?.mac ?? "00:00:00:00:00:00";
  return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
}

import { type Clock, systemClock } from "../core/clock.ts";
import { ipv4Bytes } from "./ipv4.ts";
import { openMulticastSocket } from "./raw-socket.ts";

const protocolVrrp = 112;
const multicastGroup = "224.0.0.18";
const pollMs = 20;
/** A network with more routers than this is not one; the bound keeps a flood from filling memory. */
const heardLimit = 1024;

/** A VRRP router that sends adverts to the multicast group. */
export interface HeardRouter {
  virtualRouterId: number;
  sender: string;
  version: 2 | 3;
  priority: number;
}

/**
 * Listens for VRRP adverts on one interface. Routers that speak unicast to each other cannot be heard.
 * @param ms how long; adverts come every second by default, so 3000 hears nearly all
 * @throws ChimeError `net.raw_socket`; the signal's reason
 */
export async function listenVrrp(
  interfaceName: string,
  ms: number,
  { signal, clock = systemClock }: { signal?: AbortSignal; clock?: Clock } = {},
): Promise<HeardRouter[]> {
  const heard = new Map<string, HeardRouter>();
  const socket = openMulticastSocket(interfaceName, protocolVrrp, ipv4Bytes(multicastGroup));
  try {
    for (const end = clock.now() + ms; clock.now() < end; await clock.sleep(pollMs, signal)) {
      for (let packet = socket.receive(); packet; packet = socket.receive()) {
        const router = parseVrrp(packet);
        if (router && heard.size < heardLimit)
          heard.set(`${router.virtualRouterId} ${router.sender}`, router);
      }
    }
  } finally {
    socket.close();
  }
  return [...heard.values()];
}

/**
 * An IPv4 packet with a VRRP advert to the multicast group in it (RFC 3768 §5, RFC 9568 §5); undefined for anything
 * else, such as the unicast adverts of this node's own peers.
 */
export function parseVrrp(packet: Uint8Array): HeardRouter | undefined {
  const headerLength = ((packet[0] ?? 0) & 0xf) * 4;
  if ((packet[0] ?? 0) >> 4 !== 4 || headerLength < 20 || packet[9] !== protocolVrrp) return undefined;
  if (packet.slice(16, 20).join(".") !== multicastGroup) return undefined;
  const [versionAndType, virtualRouterId, priority] = packet.slice(headerLength, headerLength + 8);
  if (packet.length < headerLength + 8 || !virtualRouterId || priority === undefined) return undefined;
  // High four bits the version, low four the type: 1 is the only one there is, an advert.
  if (versionAndType !== 0x21 && versionAndType !== 0x31) return undefined;
  const version = versionAndType === 0x21 ? 2 : 3;
  return { virtualRouterId, sender: packet.slice(12, 16).join("."), version, priority };
}

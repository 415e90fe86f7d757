import { type Clock, systemClock } from "../core/clock.ts";
import { ipv4Bytes } from "./ipv4.ts";
import { openMulticastSocket, type RawSocket } from "./raw-socket.ts";

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

/** What was heard up to now. */
export interface Heard {
  /** For how long it was listened, without a gap. */
  ms: number;
  routers: HeardRouter[];
}

/** Listens for VRRP adverts on one interface until it is closed. Routers that speak unicast to each other cannot be heard. */
export class VrrpListener {
  readonly #socket: Pick<RawSocket, "receive" | "close">;
  readonly #clock: Clock;
  /** By sender and id, those heard last at the end. */
  readonly #heard = new Map<string, { router: HeardRouter; at: number }>();
  #since: number;

  /** @throws ChimeError `net.raw_socket` */
  constructor(
    interfaceName: string,
    clock: Clock = systemClock,
    socket: Pick<RawSocket, "receive" | "close"> = openMulticastSocket(
      interfaceName,
      protocolVrrp,
      ipv4Bytes(multicastGroup),
    ),
  ) {
    this.#socket = socket;
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Takes what came from the kernel, which keeps some hundred packets. */
  look(): void {
    for (let packet = this.#socket.receive(); packet; packet = this.#socket.receive()) {
      const router = parseVrrp(packet);
      if (router) this.#note(router);
    }
  }

  #note(router: HeardRouter): void {
    const key = `${router.virtualRouterId} ${router.sender}`;
    this.#heard.delete(key);
    this.#heard.set(key, { router, at: this.#clock.now() });
    const [first = key] = this.#heard.keys();
    if (this.#heard.size > heardLimit) this.#heard.delete(first);
  }

  /** What was heard in the last `ms`, or for as long as it was listened. */
  heard(ms: number): Heard {
    this.look();
    const now = this.#clock.now();
    const recent = [...this.#heard.values()].filter(({ at }) => at >= now - ms);
    return { ms: Math.min(now - this.#since, ms), routers: recent.map(({ router }) => router) };
  }

  /** What another one heard on the same interface, who has listened until after this one began. */
  add({ ms, routers }: Heard): void {
    for (const router of routers) this.#note(router);
    this.#since = Math.min(this.#since, this.#clock.now() - ms);
  }

  /** Resolves once it was listened for `ms`, with all that were heard in these. @throws the signal's reason */
  async until(ms: number, signal?: AbortSignal): Promise<HeardRouter[]> {
    for (;;) {
      const heard = this.heard(ms);
      if (heard.ms >= ms) return heard.routers;
      await this.#clock.sleep(Math.min(pollMs, ms - heard.ms), signal);
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/**
 * Listens for `ms`.
 * @param ms adverts come every second by default, so 3000 hears nearly all
 * @throws ChimeError `net.raw_socket`; the signal's reason
 */
export async function listenVrrp(
  interfaceName: string,
  ms: number,
  signal?: AbortSignal,
): Promise<HeardRouter[]> {
  const listener = new VrrpListener(interfaceName);
  try {
    return await listener.until(ms, signal);
  } finally {
    listener.close();
  }
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

import { type Clock, systemClock } from "../core/clock.ts";
import { ipv4Bytes } from "./ipv4.ts";
import { type Link, readLink } from "./link.ts";
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
  /** For how long it was listened, without a gap and without one of the link. */
  ms: number;
  routers: HeardRouter[];
}

type Socket = Pick<RawSocket, "receive" | "close">;

/** What a listener has of the machine; tests put recordings in its place. */
export interface Hearing {
  /** @throws ChimeError `net.raw_socket` */
  open(interfaceName: string): Socket;
  link(interfaceName: string): Link;
}

const machine: Hearing = {
  open: (name) => openMulticastSocket(name, protocolVrrp, ipv4Bytes(multicastGroup)),
  link: readLink,
};

/** Listens for VRRP adverts on one interface until it is closed. Routers that speak unicast to each other cannot be heard. */
export class VrrpListener {
  readonly #interface: string;
  readonly #clock: Clock;
  readonly #machine: Hearing;
  /** By sender and id, those heard last at the end. */
  readonly #heard = new Map<string, { router: HeardRouter; at: number }>();
  #socket: Socket;
  /** As it was before the socket was opened, or when a change was seen. */
  #link: Link;
  #since: number;
  /** The link has been there, and the same, since this one began. */
  #isSteady = true;

  /** @throws ChimeError `net.raw_socket` */
  constructor(interfaceName: string, clock: Clock = systemClock, on: Hearing = machine) {
    this.#interface = interfaceName;
    this.#clock = clock;
    this.#machine = on;
    this.#link = on.link(interfaceName);
    this.#socket = on.open(interfaceName);
    this.#since = clock.now();
  }

  /** Takes what came from the kernel, which keeps some hundred packets, and looks whether anything could come. */
  look(): void {
    for (let packet = this.#socket.receive(); packet; packet = this.#socket.receive()) {
      const router = parseVrrp(packet);
      if (router) this.#note(router);
    }
    this.#followLink();
  }

  #followLink(): void {
    const before = this.#link;
    const link = this.#machine.link(this.#interface);
    if (link.isUp && link.history === before.history) return;
    // Before, nothing is certain to have come.
    this.#since = this.#clock.now();
    this.#isSteady = false;
    // The socket's membership in the group is gone with the interface that it was on.
    if (link.index !== undefined && link.index !== before.index && !this.#reopen()) return;
    this.#link = link;
  }

  /** False where it is gone again already: tried at the next look. */
  #reopen(): boolean {
    try {
      const socket = this.#machine.open(this.#interface);
      this.#socket.close();
      this.#socket = socket;
      return true;
    } catch {
      return false;
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
    return {
      ms: Math.min(now - this.#since, ms),
      routers: recent.map(({ router }) => router),
    };
  }

  /**
   * What another process of this node heard, which has listened until after this one began: each knows of the gaps of the link
   * in its own time. After one in this one's time, none of the other's counts.
   */
  add({ ms, routers }: Heard): void {
    for (const router of routers) this.#note(router);
    this.#followLink();
    if (this.#isSteady) this.#since = Math.min(this.#since, this.#clock.now() - ms);
  }

  /**
   * Resolves once it was listened for `ms`, with all that were heard in these; without a link that lasts for so long after
   * twice the time, with what could be heard. @throws the signal's reason
   */
  async until(ms: number, signal?: AbortSignal): Promise<HeardRouter[]> {
    const end = this.#clock.now() + 2 * ms;
    for (;;) {
      const heard = this.heard(ms);
      const left = Math.min(ms - heard.ms, end - this.#clock.now());
      if (left <= 0) return heard.routers;
      await this.#clock.sleep(Math.min(pollMs, left), signal);
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

import * as v from "valibot";
import type { Clock } from "../core/clock.ts";
import { ChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { peerUnreachable } from "./channel.ts";
import { closeTo } from "./close.ts";
import { Gossip } from "./gossip/gossip.ts";
import {
  packet as packetSchema,
  type GossipOptions,
  type News,
  type Packet,
  type Statement,
} from "./gossip/types.ts";
import { OccasionalLinks } from "./occasional.ts";
import { Peers } from "./peers.ts";
import type {
  Link,
  OpenPackets,
  PacketTransport,
  PacketTrouble,
  PeerAddress,
  Transport,
} from "./transport.ts";
import type { Liveness, Pause } from "./types.ts";

/** Another member: how to reach it, and what decides whether it is close. */
export interface Contact extends PeerAddress {
  roles: readonly string[];
  witness: boolean;
}

/** What members share, as gossip sees it. */
export type Items = Pick<GossipOptions, "digest" | "has" | "deliver" | "fetch">;

export interface ContactsOptions {
  self: number;
  incarnation: number;
  transport: Transport;
  packets: OpenPackets;
  clock: Clock;
  /** 0 ≤ x < 1. */
  random: () => number;
  items: Items;
  /** Compares what both know, over this connection. */
  exchange: (peer: PeerAddress, link: Link) => Promise<void>;
  /** A liveness changed, datagrams are blocked or not any more, or this agent stood still. */
  changed: () => void;
}

/** A probe over TCP that takes longer has failed anyway. */
const packetMs = 1_500;
const linkMs = 2_000;
/** Members that are told over a connection of what must not get lost, where fewer are close. */
const confidants = 3;

/** The other members: who is alive, and a connection to each. Close ones beat (`Peers`), all gossip. */
export class Contacts {
  readonly #options: ContactsOptions;
  readonly #peers: Peers;
  readonly #gossip: Gossip;
  readonly #packets: PacketTransport;
  readonly #occasional: OccasionalLinks;
  /** Exchanges under way; true: something was heard meanwhile that asks for another one. */
  readonly #exchanging = new Map<number, boolean>();
  #contacts = new Map<number, Contact>();
  /** Since when it knows of each. */
  #since = new Map<number, number>();
  #close = new Set<number>();

  constructor(options: ContactsOptions) {
    const { self, incarnation, transport, packets, clock, random, items, exchange, changed } = options;
    this.#options = options;
    this.#occasional = new OccasionalLinks(transport, clock);
    this.#peers = new Peers({ transport, clock, random, digest: items.digest, exchange, changed });
    this.#packets = packets({
      self,
      addressOf: (index) => this.#contacts.get(index)?.address,
      receive: (packet, from) => {
        const answer = this.#gossip.receive(packet, from, "udp");
        if (answer) this.#packets.send(from, answer);
      },
    });
    this.#gossip = new Gossip({
      self,
      incarnation,
      now: () => clock.now(),
      random,
      ...items,
      send: (to, packet) => this.#packets.send(to, packet),
      sendByTcp: (to, packet) => void this.#ask(to, packet),
      exchange: (index) => this.exchange(index),
      changed,
    });
  }

  async listen(): Promise<void> {
    await this.#packets.listen();
  }

  /**
   * @param contacts all members but this one that have not left; none: this node is no member any more
   * @param roles this node's own
   */
  sync(contacts: readonly Contact[], roles: readonly string[]): void {
    const now = this.#options.clock.now();
    this.#since = new Map(contacts.map(({ index }) => [index, this.#since.get(index) ?? now]));
    this.#contacts = new Map(contacts.map((contact) => [contact.index, contact]));
    this.#close = closeTo(this.#options.self, [...contacts, { index: this.#options.self, roles }]);
    this.#peers.sync(contacts.filter(({ index }) => this.#close.has(index)));
    this.#gossip.sync(contacts.map(({ index }) => index));
    this.#packets.forget();
  }

  /** To be called again after as many ms as it returns. */
  tick(): number {
    this.#occasional.sweep((target) => this.#contacts.get(target.index)?.publicKey === target.publicKey);
    return Math.min(this.#peers.tick(), this.#gossip.tick());
  }

  /** Gossip's word counts for a close one in the first second, in which it may yet beat: it may long be known. */
  #beats(index: number): boolean {
    return this.#close.has(index) && (this.#peers.met(index) || this.#peers.state(index) === "dead");
  }

  state(index: number): Liveness {
    return this.#beats(index) ? this.#peers.state(index) : this.#gossip.state(index);
  }

  /** Since it was heard; of one that never was, since this node knows of it. */
  silentMs(index: number): number {
    if (this.#beats(index)) return this.#peers.silentMs(index);
    const knownMs = this.#options.clock.now() - (this.#since.get(index) ?? Number.NEGATIVE_INFINITY);
    return Math.min(knownMs, this.#gossip.silentMs(index));
  }

  /** When this agent last found that it had not run for a while. */
  pause(): Pause {
    return this.#peers.pause();
  }

  /** No datagram is answered, while the same members answer over TCP; or there can be none. */
  get packetTrouble(): PacketTrouble | undefined {
    const { obstacle } = this.#packets;
    if (obstacle !== undefined) return { what: "port", why: obstacle };
    const { blocked } = this.#gossip;
    return blocked && { what: blocked };
  }

  /** Datagrams that came and were not taken, since the start, by their reason. */
  get refused(): Readonly<Record<string, number>> {
    return this.#packets.refused;
  }

  /** A member said something over TLS. */
  heard(index: number): void {
    this.#peers.heard(index);
    this.#gossip.heard(index);
  }

  heardDigest(index: number, digest: string): void {
    this.#peers.heardDigest(index, digest);
  }

  /** A member's packet that came over TLS; what it is answered. */
  receive(packet: Packet, from: number): Packet | undefined {
    return this.#gossip.receive(packet, from, "tcp");
  }

  /** Who lives, as an exchange tells it. */
  statements(): Statement[] {
    return this.#gossip.statements();
  }

  hear(statements: readonly Statement[], from: number): void {
    this.#gossip.take(statements, from);
  }

  /** Tells everybody, in a second or so. */
  spread(news: News): void {
    this.#gossip.spread(news);
  }

  /**
   * Whom to tell over a connection, and wait for where they are alive: those close, some others where they are few, and who
   * decides for the cluster.
   * @param concerned must be among them
   */
  confidants(concerned?: number): { index: number; alive: boolean }[] {
    const isAlive = (index: number) => this.state(index) === "alive";
    const close = [...this.#close].filter((index) => isAlive(index) || this.#peers.isReachable(index));
    const missing = confidants - close.filter(isAlive).length;
    const far = [...this.#contacts.values()].filter(({ index }) => !this.#close.has(index) && isAlive(index));
    // Of those that hold the CA the first decides for all.
    const decider = [...this.#contacts.values()].find(
      ({ index, witness }) => !witness && isAlive(index),
    )?.index;
    const others = far
      .map(({ index }) => index)
      .filter((index, at) => at < missing || index === concerned || index === decider);
    return [...close, ...others].map((index) => ({ index, alive: isAlive(index) }));
  }

  /** A connection to a member. @throws ChimeError `peer.unreachable`, `peer.impostor` */
  async link(index: number, timeoutMs: number): Promise<Link> {
    if (this.#close.has(index)) return await this.#peers.link(index, timeoutMs);
    const contact = this.#contacts.get(index);
    if (!contact) throw peerUnreachable(`member ${index}`, "it is not a member");
    return await this.#occasional.link(contact, timeoutMs);
  }

  /** Compares what both know; one at a time with each, and once more where it was asked for meanwhile. */
  exchange(index: number): void {
    if (this.#exchanging.has(index)) return void this.#exchanging.set(index, true);
    this.#exchanging.set(index, false);
    void this.#exchangeOnce(index).finally(() => {
      const again = this.#exchanging.get(index);
      this.#exchanging.delete(index);
      if (again) this.exchange(index);
    });
  }

  async #exchangeOnce(index: number): Promise<void> {
    const contact = this.#contacts.get(index);
    if (!contact) return;
    try {
      const link = await this.link(index, linkMs);
      await this.#options.exchange(contact, link);
      this.heard(index);
    } catch (error) {
      log.debug(`no exchange with ${contact.name}:`, error);
      if (codeOf(error) === "peer.timeout") this.#occasional.drop(index);
    }
  }

  async #ask(to: number, packet: Packet): Promise<void> {
    try {
      const link = await this.link(to, packetMs);
      const answer = await link.request("gossip", packet, packetMs);
      if (answer !== null) this.#gossip.receive(v.parse(packetSchema, answer), to, "tcp");
    } catch (error) {
      log.debug(`no answer of member ${to} over TCP:`, error);
      const code = codeOf(error);
      // An exchange shows this node's admission, and finds out what follows from that.
      if (code === "member.removed" || code === "member.unknown") this.exchange(to);
      if (code === "peer.timeout") this.#occasional.drop(to);
    }
  }

  stop(): void {
    this.#peers.stop();
    this.#occasional.stop();
    this.#packets.close();
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof ChimeError ? error.code : undefined;
}

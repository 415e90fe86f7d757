import * as v from "valibot";

/** What members say to each other in datagrams, and what the engine of it is given. Unknown keys are dropped. */

/**
 * A packet's JSON before it is sealed. A datagram is at most 1,400 bytes: it crosses every network in one piece (1,500 less
 * the headers of IP, UDP and one tunnel), since a datagram in fragments is lost when one of them is. The rest is the seal's.
 */
export const maxPacketBytes = 1_300;
/** Of a piece of news with its body, as JSON. What is larger is told of by a notice, so that a packet takes some statements too. */
export const maxNewsBytes = 1_000;
/** Of each, in a packet: what a datagram holds of the shortest. */
export const maxStatements = 12;
export const maxNews = 12;
const maxDigestLength = 48;

const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const index = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(99_999));
/** Refers an answer to its question; chosen by who asks. */
const seq = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff));

export const statement = v.object({
  index,
  state: v.picklist(["alive", "suspect", "dead"]),
  /** Of the member that it is about, as far as `from` knows. */
  incarnation: counter,
  /** Who found it so; other members only pass it on. */
  from: index,
});
/** That a member lives, or is suspected, or dead. SWIM's rules say which of two holds. */
export type Statement = v.InferOutput<typeof statement>;

const news = v.object({
  /** What it is about: `record.12`, `spec`. A newer item replaces an older one of the same key. */
  key: v.pipe(v.string(), v.regex(/^[a-z][a-z-]{0,31}(?:\.[a-z0-9-]{1,64})?$/)),
  /** Equal: the same content. Which of two is newer, the owner of the items knows. */
  version: v.pipe(v.string(), v.minLength(1), v.maxLength(100)),
  /** Absent in a notice: it is too large for a datagram, and is fetched over TCP from who told it. */
  body: v.optional(v.unknown()),
});
/** An item that members share, or a notice of one. */
export type News = v.InferOutput<typeof news>;

const common = {
  /** The sender's own: who speaks lives. */
  incarnation: counter,
  /** Equal on members that know the same, of the items and of who lives. */
  digest: v.pipe(v.string(), v.maxLength(maxDigestLength)),
  statements: v.pipe(v.array(statement), v.maxLength(maxStatements)),
  news: v.pipe(v.array(news), v.maxLength(maxNews)),
};

/** Whatever its kind, a packet brings statements and news along. To be parsed before anything in it is used. */
export const packet = v.variant("kind", [
  /** Are you there? */
  v.object({ kind: v.literal("ping"), seq, ...common }),
  /** I am; or, from who was asked to look, it is. */
  v.object({ kind: v.literal("ack"), seq, ...common }),
  /** Ping `target` for me. */
  v.object({ kind: v.literal("ask"), seq, target: index, ...common }),
  /** I am there myself, but `target` did not answer me so far. */
  v.object({ kind: v.literal("nack"), seq, ...common }),
  /** Nothing but what it brings along. */
  v.object({ kind: v.literal("gossip"), ...common }),
]);
export type Packet = v.InferOutput<typeof packet>;

/** How a packet came: by datagram, or over a TLS connection. */
export type Way = "udp" | "tcp";

/** The engine opens no socket, reads no clock and keeps no item: it is given all of that. */
export interface GossipOptions {
  /** This node's index. */
  self: number;
  /** Grows at each start of the agent; the engine raises it further where it must refute. */
  incarnation: number;
  /** Ms on a clock that is not set. */
  now: () => number;
  /** 0 ≤ x < 1. */
  random: () => number;
  /** A datagram, best effort. */
  send: (to: number, packet: Packet) => void;
  /**
   * The same over a TLS connection, as a request: what the peer's `receive` returns is its answer, and is given to
   * `receive` here (`tcp`). Best effort as well; seldom, but where datagrams are blocked.
   */
  sendByTcp: (to: number, packet: Packet) => void;
  /** Compare all items and statements with this member over TLS, and take from each other what is missing. */
  exchange: (index: number) => void;
  /** Equal on members that have the same items; at most 24 characters. */
  digest: () => string;
  /** Do we have this item in this version, or in a newer one? */
  has: (key: string, version: string) => boolean;
  /** An item with its body. True: it was new here and is to be passed on. */
  deliver: (item: News, from: number) => boolean;
  /** A notice told of an item that we do not have: get it over TLS, and `spread` it. */
  fetch: (key: string, from: number) => void;
  /** Somebody's state changed, or whether datagrams are blocked. */
  changed: () => void;
}

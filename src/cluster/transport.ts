import type { Packet } from "./gossip/types.ts";
import type { PeerIdentity } from "./pki.ts";

/** Whom to dial, and which key must answer. */
export interface PeerAddress extends PeerIdentity {
  address: string;
}

/** A kept connection to one peer, over which only the side that dialled asks. */
export interface Link {
  /** @throws ChimeError the peer's own, or `peer.timeout`, `peer.unreachable` */
  request(method: string, params: unknown, timeoutMs: number): Promise<unknown>;
  notify(method: string, params: unknown): void;
  close(): void;
  /** Resolves once the connection is gone, for whatever reason. */
  readonly closed: Promise<void>;
}

/**
 * What a node answers. `peer` proved by its certificate who it is (whether it still belongs is the callee's question);
 * undefined is a stranger, who may only ask to join.
 */
export type Serve = (peer: PeerIdentity | undefined, method: string, params: unknown) => Promise<unknown>;

/** A peer showed a certificate of this cluster that is out of its time: `why` is a clause. */
export type Refused = (peer: PeerIdentity, why: string) => void;

/** How agents reach each other. TLS in the agent, memory in simulations. */
export interface Transport {
  listen(serve: Serve, refused: Refused): Promise<void>;
  /** @throws ChimeError `peer.unreachable`, `peer.impostor` */
  dial(peer: PeerAddress): Promise<Link>;
  /**
   * The same without showing a certificate, and whatever the dates of the peer's say: for a node that needs another one.
   * @throws ChimeError `peer.unreachable`, `peer.impostor`
   */
  knock(peer: PeerAddress): Promise<Link>;
  close(): Promise<void>;
}

/** Gossip's packets from agent to agent, each lost at times: sealed datagrams in the agent, memory in simulations. */
export interface PacketTransport {
  listen(): Promise<void>;
  send(to: number, packet: Packet): void;
  /** To be called when somebody is no member any more. */
  forget(): void;
  /** What came and was not taken, since the start, by its reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Why none can be sent or taken on this node, as the system's code; undefined: they can. */
  readonly obstacle: string | undefined;
  close(): void;
}

/**
 * What is wrong with this node's datagrams: its port cannot be opened, for a reason that the system names (`EADDRINUSE`: another
 * program has it); none comes in; or those that it sends get nowhere, while others come in.
 */
export type PacketTrouble = { what: "port"; why: string } | { what: "inward" | "outward" };

export interface PacketOptions {
  self: number;
  /** A member's address; undefined: there is no such member. */
  addressOf: (index: number) => string | undefined;
  /** What a member sent. */
  receive: (packet: Packet, from: number) => void;
}

export type OpenPackets = (options: PacketOptions) => PacketTransport;

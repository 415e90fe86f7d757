import type { Facts } from "../host/facts.ts";

/** A role's name; which exist is decided by roles/index.ts. `witness` runs nothing but the agent. */
export type RoleName = string;

/** Barriers: a step that needs a peer waits for the peer's phase. In this order. */
export const phases = ["joined", "installed", "configured", "ready"] as const;
export type Phase = (typeof phases)[number];

/** One node's own record. Only the node itself raises `version`; everyone else passes it on unchanged. */
export interface Member {
  name: string;
  /** Given once at admission, from 1, never reused: server ids, offsets and priorities derive from it. */
  index: number;
  address: string;
  roles: readonly RoleName[];
  phase: Readonly<Record<RoleName, Phase>>;
  /** What a role's guard publishes of itself, bounded JSON (e.g. mysql: term, state, gtid, lag). */
  roleState: Readonly<Record<RoleName, unknown>>;
  facts: Pick<Facts, "os" | "arch" | "cpus" | "memoryBytes"> | null;
  binaryVersion: string;
  protocol: number;
  /** Set by the node itself (`leave`) or by the member that removed it. */
  left: boolean;
  /** (incarnation, version) orders records of one node: incarnation grows at each agent start. */
  incarnation: number;
  version: number;
}

export type Liveness = "alive" | "suspect" | "dead" | "left";

export interface MemberView extends Member {
  state: Liveness;
  /** ms since something was last heard from it on this node's monotonic clock; 0 for self. */
  silentMs: number;
  /** Where it is not heard because it was refused here: why, as a clause. */
  refused: string | null;
}

/** The spec as the cluster knows it: the text of cluster.toml, a version, and who published it. */
export interface SpecDocument {
  version: number;
  toml: string;
  publisher: string;
  /** Base64 ECDSA P-256 signature by the publisher's node key over version, cluster id and toml. */
  signature: string;
}

/** What `init` creates and every member knows. */
export interface Identity {
  cluster: { name: string; id: string };
  self: { name: string; index: number; address: string };
}

/** An agent that had not run for about half a second or more: stopped, starved, on a frozen disk. */
export interface Pause {
  /** When it last found so, on the monotonic clock; -Infinity: never. */
  at: number;
  /** How long it had not run. */
  ms: number;
}

/**
 * Who is in the cluster and what they say of themselves. Plain probing over kept TCP connections today;
 * gossip takes over behind this interface.
 */
export interface Membership {
  readonly self: Member;
  members(): MemberView[];
  /** Changes this node's own record; those that are close to it and alive have it before it resolves, the others soon. */
  update(change: Partial<Pick<Member, "roles" | "phase" | "roleState" | "facts" | "left">>): Promise<void>;
  spec(): SpecDocument;
  /** Others may have gone on without this node in it. */
  pause(): Pause;
  /** Called after any record, liveness or the spec changed. Returns the unsubscriber. */
  onChange(listener: () => void): () => void;
  /** Asks one peer's agent; rejects with the peer's ChimeError, or `peer.unreachable` / `peer.timeout`. */
  call(peer: string, method: string, params: unknown, timeoutMs: number): Promise<unknown>;
}

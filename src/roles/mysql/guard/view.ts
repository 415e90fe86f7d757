import type { VipState } from "../../../agent/guard.ts";
import type { Liveness } from "../../../cluster/types.ts";
import type { ServerState } from "../engine/types.ts";
import type { Published } from "../published.ts";
import type { Term } from "../term.ts";

/** All that a decision rests on: one node's knowledge at one moment. Plain data, so that a model can make it up. */
export interface View {
  self: string;
  index: number;
  /** The newest term this node knows; it is on its disk. */
  term: Term | null;
  /** The server run in which this node was last found to hold everything. */
  proven: string | null;
  vip: VipState;
  server: ServerState | { down: "stopped" | "startable" | "starting" | "hung" };
  /** Why this node stays out, found when its transactions were compared; null: nothing known against it. */
  quarantine: string | null;
  /** The other nodes with this role, by rising index. */
  peers: readonly PeerView[];
  /** Peers heard since this agent started: what they did while nobody listened here is known. */
  heard: readonly string[];
  /** Asked for by a peer or an operator: give up writing. */
  standDown: boolean;
  /** Commits have been waiting for the replica this long without one being acknowledged, ms. */
  stuckMs: number;
  /** The peers' answers to this takeover. */
  yielded: readonly string[];
}

export interface PeerView {
  name: string;
  index: number;
  address: string;
  state: Liveness;
  /** ms since it was last heard. */
  silentMs: number;
  said: Published | null;
}

/** What to do next. One at a time: the world is looked at again after each. */
export type Step =
  /** Take over a newer term that a peer published. */
  | { do: "adopt"; term: Term; from: string }
  /** Ask every peer for a term with this node alone in it, the first of all or after nobody is able. */
  | { do: "claim"; term: Term; ask: readonly string[] }
  /** Start the server; `truncate`: it was outrun, so what nobody acknowledged goes. */
  | { do: "start"; truncate: boolean }
  | { do: "fence" }
  /** Ask the peer to stop writing, so that everything it acknowledged arrives. */
  | { do: "ask-yield"; peer: string }
  | { do: "stop-receiver" }
  /** A new term with this node alone: before anything is acknowledged that the peer may lack. */
  | { do: "record-alone"; term: Term }
  | { do: "apply-received" }
  | { do: "open" }
  /** Commits wait for the replica from here on, once it is level: `after` names one that still has to show it. */
  | { do: "protect"; after: string | null }
  /** Commits succeed alone from here on; the term that says so is on disk. `cut`: end replicas' connections, too. */
  | { do: "release"; cut: boolean }
  /** See that the peer holds everything; then both are in sync, which is a new term unless `term` is null. */
  | { do: "prove-peer"; peer: string; term: Term | null }
  | { do: "follow"; peer: string };

export interface Decision {
  /** May the VIP come here. */
  eligible: boolean;
  step: Step | null;
  /** What is awaited when there is nothing to do: "the VIP", "to follow node1"; after "waiting for" or "waiting". */
  awaiting: string;
}

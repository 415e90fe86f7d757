import type { VipState } from "../../../vip/fifo.ts";
import type { Liveness } from "../../../cluster/types.ts";
import type { ServerState } from "../engine/types.ts";
import type { Published } from "../published.ts";
import type { Gateway } from "../../../cluster/vote/tie.ts";
import type { Term } from "../../../cluster/vote/term.ts";
import type { Down } from "./unit.ts";

/** All that a decision rests on: one node's knowledge at one moment. Plain data, so that a model can make it up. */
export interface View {
  self: string;
  index: number;
  /** The newest term this node knows; it is on its disk. */
  term: Term | null;
  /** Since this agent started, that term was granted by a majority of its voters: writes may rest on it. */
  granted: boolean;
  /** The server run in which this node was last found to hold everything. */
  proven: string | null;
  vip: VipState;
  /** When it last answered, the server accepted writes. */
  wrote: boolean;
  server: ServerState | { down: Down };
  /** Why this node stays out, found when its transactions were compared; null: nothing known against it. */
  quarantine: string | null;
  /** No client can have been told of what it has more than the others: it may be rebuilt unasked. */
  untold: boolean;
  /** Its data are being replaced by the writer's: how far that is. `null`: they are not. */
  rebuild: string | null;
  /** The other nodes with this role, by rising index. */
  peers: readonly PeerView[];
  /** Members without the role, by rising index: one of them can be the third voter. */
  bystanders: readonly Bystander[];
  /** What a cut between two nodes without a third voter may cost (`failover.policy`). */
  policy: "available" | "safe";
  /** Asked only by two alone. */
  gateway: Gateway;
  /** Peers that have answered since this agent started: what they did while nobody listened here is known. */
  heard: readonly string[];
  /** Asked for by a peer or an operator: give up writing. */
  standDown: boolean;
  /** Its server is about to be stopped: nothing is begun that the stop would have to wait for. */
  stopping: boolean;
  /** The same, and what it wrote is handed over, as far as that went: nobody counts on it any more. */
  leaving: boolean;
  /** Its data's disk has no room: how little; null: enough. */
  full: string | null;
  /** Replication from the writer, which is open, goes on failing: the server's words; null: it does not. */
  failing: string | null;
  /** Commits have been waiting for the replica this long without one being acknowledged, ms. */
  stuckMs: number;
  /** The replica holds all that waits for it, and its acknowledgements do not come: they were lost. */
  unheard: boolean;
  /** Commits were acknowledged just now: what waits is about to be. */
  flowing: boolean;
  /** The peers' answers to this takeover. */
  yielded: readonly string[];
}

export interface Bystander {
  name: string;
  state: Liveness;
  /** ms since it was last heard. */
  silentMs: number;
}

export interface PeerView {
  name: string;
  index: number;
  address: string;
  state: Liveness;
  /** ms since it was last heard. */
  silentMs: number;
  /** What this node's server sent it is not acknowledged by its machine, however often it is sent. */
  stalled: boolean;
  said: Published | null;
}

/** What to do next. One at a time: the world is looked at again after each. */
export type Step =
  /** Take over a newer term that a peer published. */
  | { do: "adopt"; term: Term; from: string }
  /** The first term of all: asks every peer whether it has chosen already. */
  | { do: "claim"; term: Term; ask: readonly string[] }
  /** Start the server; `truncate`: it was outrun, so what nobody acknowledged goes. */
  | { do: "start"; truncate: boolean }
  | { do: "fence" }
  /** Before a fence: see whether the commits that wait are acknowledged. */
  | { do: "settle" }
  /** The harder fence, of a writer that was outrun: what waits is not committed, and its next start can drop it. */
  | { do: "kill" }
  /** Ask the peer to stop writing, so that everything it acknowledged arrives. */
  | { do: "ask-yield"; peer: string }
  | { do: "stop-receiver" }
  /**
   * Ask for a new term, or for the present one again: before anything is acknowledged that the peer may lack, and
   * before anything is acknowledged after a start. `alone`: where two voters are all there are, the other may be silent.
   */
  | { do: "ask-votes"; term: Term; alone: boolean }
  /**
   * The same with other voters; those that are new first take over the newest record from a majority of the old ones,
   * without which nothing newer can have been granted.
   */
  | { do: "name-voters"; term: Term; added: readonly string[]; from: readonly string[] }
  | { do: "apply-received" }
  | { do: "open" }
  /** Commits wait for the replica from here on, once it is level: `after` names one that still has to show it. */
  | { do: "protect"; after: string | null }
  /** Commits succeed alone from here on; the term that says so is on disk. `cut`: end replicas' connections, too. */
  | { do: "release"; cut: boolean }
  /** See that the peer holds everything; then both are in sync, which is a new term unless `term` is null. */
  | { do: "prove-peer"; peer: string; term: Term | null }
  | { do: "follow"; peer: string }
  /** Replace all data by a copy of the writer's. */
  | { do: "rebuild"; from: string; because: string };

export interface Decision {
  /** May the VIP come here. */
  eligible: boolean;
  step: Step | null;
  /** What is awaited when there is nothing to do: "the VIP", "to follow node1"; after "waiting for" or "waiting". */
  awaiting: string;
}

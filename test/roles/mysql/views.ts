import type { ServerState } from "../../../src/roles/mysql/engine/types.ts";
import type { PeerView, View } from "../../../src/roles/mysql/guard/view.ts";
import type { Published } from "../../../src/roles/mysql/published.ts";
import type { Term } from "../../../src/cluster/vote/term.ts";

/** Makes up what one node knows; each test names only what matters to it. */
export function term(number: number, writer: string, ...inSync: string[]): Term {
  return {
    term: number,
    writer,
    in_sync: inSync.length > 0 ? inSync : [writer],
    voters: ["node1", "node2"],
    old_voters: [],
    tie: "gateway",
  };
}

export function server(change: {
  readOnly?: boolean;
  life?: string;
  source?: Partial<ServerState["source"]>;
  replica?: Partial<ServerState["replica"]>;
}): ServerState {
  return {
    life: change.life ?? "L1",
    readOnly: change.readOnly ?? true,
    position: "0-1-10",
    source: {
      enabled: false,
      strict: true,
      active: false,
      replicas: 0,
      waiting: 0,
      acknowledged: 0,
      ...change.source,
    },
    replica: {
      from: null,
      receiver: "stopped",
      applier: false,
      received: "",
      reading: "",
      pending: false,
      semiSync: false,
      error: null,
      lag: null,
      ...change.replica,
    },
  };
}

/** Receives from node1, acknowledges, applies. */
export const following: Partial<ServerState["replica"]> = {
  from: "10.0.0.1",
  receiver: "running",
  applier: true,
  semiSync: true,
  received: "0-1-10",
};

/** A writer whose replica acknowledges. */
export const protectedSource: Partial<ServerState["source"]> = {
  enabled: true,
  strict: true,
  active: true,
  replicas: 1,
};

export function published(change: Partial<Published>): Published {
  return {
    term: null,
    state: "replica",
    follows: null,
    life: "P1",
    able: false,
    stands_down: false,
    semi_sync: false,
    protected: false,
    gateway: true,
    out: null,
    lag: null,
    detail: null,
    ...change,
  };
}

export function peer(index: number, change: Partial<PeerView> = {}): PeerView {
  return {
    name: `node${index}`,
    index,
    address: `10.0.0.${index}`,
    state: "alive",
    silentMs: 50,
    stalled: false,
    said: null,
    ...change,
  };
}

export function view(change: Partial<View>): View {
  return {
    self: "node1",
    index: 1,
    term: null,
    granted: true,
    proven: null,
    vip: "BACKUP",
    wrote: false,
    server: server({}),
    quarantine: null,
    untold: false,
    rebuild: null,
    peers: [],
    bystanders: [],
    policy: "available",
    gateway: { answers: true, vote: "steady", out: null },
    heard: ["node1", "node2"],
    standDown: false,
    stopping: false,
    leaving: false,
    full: null,
    failing: null,
    stuckMs: 0,
    flowing: false,
    unheard: false,
    yielded: [],
    ...change,
  };
}

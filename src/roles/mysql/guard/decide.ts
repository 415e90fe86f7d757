import { replaces, type Term } from "../term.ts";
import type { ServerState } from "../engine/types.ts";
import type { Decision, PeerView, Step, View } from "./view.ts";

/** A replica that was silent this long and acknowledges nothing has lost its power or its network. */
const lostMs = 1_000;

/** An acknowledgement takes a millisecond; a busy replica seldom 100. */
const stuckEnoughMs = 200;

/** MariaDB takes up to 1 s to read the acknowledgements of a replica that has just come back. */
const slowMs = 3_000;

/**
 * The rules of the pair (docs/architecture.md), as a function of what one node knows. Nothing is remembered here:
 * called again after every step and every event, it goes on from what it finds, also in another process.
 */
export function decide(view: View): Decision {
  const newer = newerTerm(view);
  if (newer) return { eligible: false, step: newer, awaiting: "a newer term" };
  const { server } = view;
  if ("down" in server) return decideDown(view, server.down);
  if (!view.term) return first(view, server);
  return server.readOnly ? decideReader(view, server, view.term) : decideWriter(view, server, view.term);
}

/**
 * In sync, and sure of it: its server has lost nothing since that was found, and no term of a peer can have been
 * missed. Alone it is the only copy there is.
 */
export function isAble(
  view: Pick<View, "self" | "term" | "proven" | "server" | "quarantine" | "heard">,
): boolean {
  const { self, term, proven, server, quarantine, heard } = view;
  if (!term || "down" in server || quarantine !== null || !term.in_sync.includes(self)) return false;
  // Received and not applied, and nobody applies it: it would be missing.
  if (server.replica.pending && !server.replica.applier) return false;
  return othersOf(term, self).every((name) => heard.includes(name) && proven === server.life);
}

/**
 * Whether a peer may have the term that it asks for: it holds everything, and this node neither writes nor can take
 * over. For the very first term the lower index wins, provided it can serve.
 */
export function mayGrant(
  node: Pick<View, "self" | "index" | "term" | "proven" | "server" | "quarantine" | "heard" | "standDown">,
  asked: Term,
  from: { name: string; index: number },
): boolean {
  const { term, server } = node;
  const isForItself = asked.writer === from.name && asked.in_sync.join() === from.name;
  if (!isForItself || asked.term <= (term?.term ?? 0)) return false;
  if (!term) return "down" in server || from.index < node.index;
  if (!term.in_sync.includes(from.name) || (isAble(node) && !node.standDown)) return false;
  return "down" in server || server.readOnly;
}

function newerTerm({ self, index, peers, term }: View): Step | undefined {
  const indexOf = (name: string) =>
    name === self ? index : (peers.find((peer) => peer.name === name)?.index ?? Number.MAX_SAFE_INTEGER);
  for (const { name, said } of peers) {
    if (said?.term && replaces(said.term, term, indexOf)) return { do: "adopt", term: said.term, from: name };
  }
  return undefined;
}

function decideDown(view: View, why: "stopped" | "startable" | "starting" | "hung"): Decision {
  if (why === "starting") return wait("the database server to start");
  if (why === "stopped") return wait("somebody to start the database server, which was stopped by hand");
  if (why === "hung") return wait("the database server to answer");
  const { self, term } = view;
  if (!term || !isPairsWriter(term, self)) return start(term !== null && !term.in_sync.includes(self));
  // It wrote with a replica. Whether that has taken over decides what becomes of the unacknowledged tail.
  return resume(view, term) ?? wait(`${othersOf(term, self).join(", ")}, which may have taken over`);
}

function wait(awaiting: string): Decision {
  return { eligible: false, step: null, awaiting };
}

function start(truncate: boolean): Decision {
  return { eligible: false, step: { do: "start", truncate }, awaiting: "the database server to start" };
}

function isPairsWriter(term: Term, self: string): boolean {
  return term.writer === self && term.in_sync.length > 1;
}

function othersOf(term: Term, self: string): string[] {
  return term.in_sync.filter((name) => name !== self);
}

/** After a restart of the writer's server: goes on only if its replica says that it cannot take over. */
function resume(view: View, term: Term): Decision | undefined {
  const ask = othersOf(term, view.self);
  const known = view.peers.filter((peer) => ask.includes(peer.name));
  if (known.length < ask.length) return undefined;
  // One that left said goodbye with its last term, or was taken out by an operator's word.
  const peers = known.filter((peer) => peer.state !== "left");
  if (!peers.every((peer) => peer.state === "alive" && peer.said !== null && !peer.said.able))
    return undefined;
  return {
    eligible: false,
    step: { do: "claim", term: alone(view), ask: peers.map((peer) => peer.name) },
    awaiting: "the replica's word that it has not taken over",
  };
}

function alone({ self, term }: View): Term {
  return { term: (term?.term ?? 0) + 1, writer: self, in_sync: [self] };
}

/** No writer was ever named. */
function first(view: View, server: ServerState): Decision {
  const awaiting = "the first writer to be chosen";
  if (!server.readOnly) return { eligible: false, step: { do: "fence" }, awaiting };
  const ask = view.peers.filter((peer) => peer.state === "alive" || peer.state === "suspect");
  const step: Step = { do: "claim", term: alone(view), ask: ask.map((peer) => peer.name) };
  return { eligible: false, step, awaiting };
}

function decideReader(view: View, server: ServerState, term: Term): Decision {
  const { self, vip, standDown } = view;
  const eligible = isAble(view) && !standDown;
  if (eligible && vip === "MASTER") return promote(view, server, term);
  const hold = (awaiting: string): Decision => ({ eligible, step: null, awaiting });
  if (view.quarantine !== null) return hold("somebody to look at its own transactions");
  if (term.writer === self) {
    if (eligible) return hold("the VIP");
    if (standDown) return hold("the peer to take over");
    return resume(view, term) ?? hold(`${othersOf(term, self).join(", ")}, which may have taken over`);
  }
  const writer = view.peers.find((peer) => peer.name === term.writer);
  if (!writer || writer.state !== "alive") return hold(`the writer ${term.writer}`);
  const { replica } = server;
  const follows = replica.from === writer.address && replica.receiver !== "stopped" && replica.applier;
  if (follows && server.source.enabled)
    return { eligible, step: { do: "fence" }, awaiting: "to be read-only" };
  const acknowledges = replica.semiSync || replica.receiver !== "running";
  // Its own lost transactions come back only from a source that is semi-synchronous already: a writer that is open.
  if (writer.said?.state !== "writer") return hold(`${term.writer} to accept writes`);
  if (follows && acknowledges) return hold(`to be level with ${term.writer}`);
  return { eligible, step: { do: "follow", peer: writer.name }, awaiting: `to follow ${term.writer}` };
}

/** The VIP is here, and this node holds everything: first nothing more may come, then a term, then all of it applied. */
function promote(view: View, server: ServerState, term: Term): Decision {
  const answering = view.peers.find((peer) => peer.state === "alive" && !view.yielded.includes(peer.name));
  const isHolder = term.writer === view.self && term.in_sync.length === 1;
  if (!isHolder && answering && term.in_sync.includes(answering.name)) {
    return takeOver({ do: "ask-yield", peer: answering.name });
  }
  if (server.replica.receiver !== "stopped") return takeOver({ do: "stop-receiver" });
  if (!isHolder) return takeOver({ do: "record-alone", term: alone(view) });
  if (server.replica.pending) return takeOver({ do: "apply-received" });
  return takeOver({ do: "open" });
}

function takeOver(step: Step): Decision {
  return { eligible: true, step, awaiting: "to take over" };
}

function decideWriter(view: View, server: ServerState, term: Term): Decision {
  const { self, vip, standDown } = view;
  const may = term.writer === self && term.in_sync.includes(self) && view.quarantine === null && !standDown;
  // UNKNOWN is an agent that has just started: it changes nothing that was right.
  if (!may || vip === "BACKUP" || vip === "FAULT") {
    return { eligible: may, step: { do: "fence" }, awaiting: "to stop writing" };
  }
  const { source } = server;
  const replica = view.peers.find((peer) => term.in_sync.includes(peer.name));
  if (term.in_sync.length > 1) {
    if (!replica || isLost(replica, view, source)) {
      return vip === "MASTER" ? serve({ do: "record-alone", term: alone(view) }) : serve(null);
    }
    if (!source.enabled || !source.strict) return serve({ do: "protect", after: null });
    const isUnproven = replica.said?.able === false && !replica.said.stands_down;
    if (isUnproven && isLevelling(replica, self) && source.active) {
      return serve({ do: "prove-peer", peer: replica.name, term: null });
    }
    return serve(null);
  }
  const candidate = view.peers.find((peer) => peer.state === "alive" && isLevelling(peer, self));
  const isStuck = view.stuckMs >= (candidate ? slowMs : stuckEnoughMs);
  if (candidate && source.active && source.replicas > 0 && !isStuck) {
    if (!source.strict) return serve({ do: "protect", after: candidate.name });
    const both: Term = { ...alone(view), in_sync: [self, candidate.name] };
    return serve({ do: "prove-peer", peer: candidate.name, term: both });
  }
  if (source.strict || !source.enabled || isStuck) {
    return serve({ do: "release", cut: isStuck || !view.peers.some((peer) => peer.state === "alive") });
  }
  return serve(null);
}

function serve(step: Step | null): Decision {
  return { eligible: true, step, awaiting: "" };
}

function isLevelling({ said }: PeerView, self: string): boolean {
  return said !== null && said.state === "replica" && said.follows === self;
}

/** Only a replica that cannot acknowledge any more is left behind: its agent's death alone is no reason. */
function isLost(replica: PeerView, view: View, source: ServerState["source"]): boolean {
  if (replica.state === "left") return true;
  const { said } = replica;
  if (replica.state === "alive" && said !== null && said.state !== "replica" && said.state !== "writer")
    return true;
  const silent = replica.state === "dead" || replica.silentMs >= lostMs;
  return silent && (source.replicas === 0 || view.stuckMs >= stuckEnoughMs);
}

import { replaces, type Term } from "../../../cluster/vote/term.ts";
import type { ServerState } from "../engine/types.ts";
import { council, hasMajority, hasThird, hasVoice, mayGoAlone, next } from "./council.ts";
import { nothingArrives } from "./replication.ts";
import type { Down } from "./unit.ts";
import type { Decision, PeerView, Step, View } from "./view.ts";

/** A replica that was silent this long and acknowledges nothing has lost its power or its network. */
const lostMs = 1_000;

/** An acknowledgement takes a millisecond; a busy replica seldom 100. */
const stuckEnoughMs = 200;

/** MariaDB takes up to 1 s to read the acknowledgements of a replica that has just come back. */
export const slowMs = 3_000;

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
  // A third voter knows of terms that were missed; two alone have to have heard each other.
  const knows = (name: string) => term.voters.length > 2 || heard.includes(name);
  return othersOf(term, self).every((name) => knows(name) && proven === server.life);
}

/** Whether a peer may have the very first term: the lower index wins, provided it can serve. */
export function mayGrantFirst(
  { term, server, index }: Pick<View, "index" | "term" | "server">,
  from: { index: number },
): boolean {
  return term === null && ("down" in server || from.index < index);
}

function newerTerm({ self, index, peers, term }: View): Step | undefined {
  const indexOf = (name: string) =>
    name === self ? index : (peers.find((peer) => peer.name === name)?.index ?? Number.MAX_SAFE_INTEGER);
  for (const { name, said } of peers) {
    if (said?.term && replaces(said.term, term, indexOf)) return { do: "adopt", term: said.term, from: name };
  }
  return undefined;
}

function decideDown(view: View, why: Down): Decision {
  if (why === "replaced") return wait(view.rebuild ?? "its new data");
  if (why === "starting") return wait("the database server to start");
  if (why === "stopped") return wait("somebody to start the database server, which was stopped by hand");
  const { self, term, wrote } = view;
  if (why === "hung") {
    // Outrun: what waits in it must not be committed when it wakes, and its next start can drop it.
    const step: Step | null = wrote && term !== null && !term.in_sync.includes(self) ? { do: "kill" } : null;
    return { eligible: false, step, awaiting: "the database server to answer" };
  }
  if (!term || !isPairsWriter(term, self)) return start(term !== null && mayTruncate(term, self));
  // It wrote with a replica. Whether that has taken over decides what becomes of the unacknowledged tail.
  return resume(view, term) ?? wait(`${othersOf(term, self).join(", ")}, which may have taken over`);
}

function wait(awaiting: string): Decision {
  return { eligible: false, step: null, awaiting };
}

function start(truncate: boolean): Decision {
  return { eligible: false, step: { do: "start", truncate }, awaiting: "the database server to start" };
}

/** Outrun by a vote: whatever it has alone nobody was told of. An operator's word gives no such proof. */
function mayTruncate(term: Term, self: string): boolean {
  return !term.in_sync.includes(self) && term.overruled?.includes(self) !== true;
}

function isPairsWriter(term: Term, self: string): boolean {
  return term.writer === self && term.in_sync.length > 1;
}

function othersOf(term: Term, self: string): string[] {
  return term.in_sync.filter((name) => name !== self);
}

/**
 * After a restart of the writer's server: goes on only if its replica says that it cannot take over, or is gone and a
 * majority of three says that it has not.
 */
function resume(view: View, term: Term): Decision | undefined {
  const ask = othersOf(term, view.self);
  const known = view.peers.filter((peer) => ask.includes(peer.name));
  if (known.length < ask.length) return undefined;
  const isOut = ({ state, said }: PeerView) =>
    // One that left said goodbye with its last term, or was taken out by an operator's word.
    state === "left" ||
    (state === "alive" && said !== null && !said.able) ||
    (state === "dead" && hasThird(view, term));
  if (!known.every(isOut) || !hasMajority(view, term)) return undefined;
  return {
    eligible: false,
    step: { do: "ask-votes", term: alone(view), alone: false },
    awaiting: "the voters' word that the replica has not taken over",
  };
}

function alone(view: View): Term {
  return next(view, [view.self]);
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
  // Without a majority in sight the VIP would come to a node that cannot open, and be taken back when a cut heals.
  const eligible = isAble(view) && !standDown && mayOpen(view, term);
  if (eligible && vip === "MASTER") return promote(view, server, term);
  const hold = (awaiting: string): Decision => ({ eligible, step: null, awaiting });
  if (view.quarantine !== null) {
    const source = view.untold && view.rebuild === null ? openWriter(view) : undefined;
    if (source) return rebuild(eligible, source.name, `only it held ${view.quarantine}`);
    return hold(view.rebuild ?? "somebody to look at its own transactions");
  }
  if (term.writer === self) {
    if (eligible) return hold("the VIP");
    if (standDown) return hold("the peer to take over");
    return resume(view, term) ?? hold(`${othersOf(term, self).join(", ")}, which may have taken over`);
  }
  const writer = view.peers.find((peer) => peer.name === term.writer);
  if (!writer || writer.state !== "alive") return hold(`the writer ${term.writer}`);
  const { replica } = server;
  if (view.rebuild !== null) return hold(view.rebuild);
  const gap = gapBefore(view, replica, writer);
  if (gap !== null) return rebuild(eligible, writer.name, gap);
  const follows = replica.from === writer.address && replica.receiver !== "stopped" && replica.applier;
  if (follows && server.source.enabled)
    return { eligible, step: { do: "fence" }, awaiting: "to be read-only" };
  const acknowledges = replica.semiSync || replica.receiver !== "running";
  // Its own lost transactions come back only from a source that is semi-synchronous already: a writer that is open.
  if (writer.said?.state !== "writer") return hold(`${term.writer} to accept writes`);
  if (follows && acknowledges) return hold(`to be level with ${term.writer}`);
  // MySQL 9.7 hangs for ever where replication starts as it stops (tried).
  if (view.stopping) return hold("its server to be stopped");
  return { eligible, step: { do: "follow", peer: writer.name }, awaiting: `to follow ${term.writer}` };
}

/** The term's writer, where that is another node which lives and accepts writes. */
export function openWriter({ peers, term }: Pick<View, "peers" | "term">): PeerView | undefined {
  return peers.find(
    ({ name, state, said }) => name === term?.writer && state === "alive" && said?.state === "writer",
  );
}

function rebuild(eligible: boolean, from: string, because: string): Decision {
  return { eligible, step: { do: "rebuild", from, because }, awaiting: `a copy of ${from}` };
}

/**
 * Why no binary log of the writer goes on where this node ends; null: one does. 1236 is what MariaDB and MySQL answer to
 * a replica whose transactions they have purged or cannot read (ER_MASTER_FATAL_ERROR_READING_BINLOG). What they send
 * without reading it, the replica finds damaged by its checksum, each time anew: TLS keeps the network out of that. The
 * source's own check (master_verify_checksum) is no help: MariaDB 10.11 hangs where it finds something.
 */
function gapBefore(
  { failing, full }: View,
  { from, receiver, error }: ServerState["replica"],
  writer: PeerView,
): string | null {
  if (from !== writer.address) return null;
  if (receiver === "stopped" && error?.includes("error 1236") === true) {
    return `${writer.name}'s binary logs do not go on where it ended (${error})`;
  }
  const isDamaged = failing === nothingArrives || failing?.includes("could not queue event") === true;
  return isDamaged && full === null ? `${writer.name}'s binary log cannot be read (${failing})` : null;
}

/** Alone in its term, it has to have that confirmed once after a start; otherwise it has to win a new one. */
function mayOpen(view: View, term: Term): boolean {
  const isHolder = term.writer === view.self && term.in_sync.length === 1;
  return isHolder ? view.granted || hasMajority(view, term) : hasVoice(view, term);
}

/** The VIP is here, and this node holds everything: first nothing more may come, then a term, then all of it applied. */
function promote(view: View, server: ServerState, term: Term): Decision {
  const answering = view.peers.find((peer) => peer.state === "alive" && !view.yielded.includes(peer.name));
  const isHolder = term.writer === view.self && term.in_sync.length === 1;
  if (!isHolder && answering && term.in_sync.includes(answering.name)) {
    return takeOver({ do: "ask-yield", peer: answering.name });
  }
  if (server.replica.receiver !== "stopped") return takeOver({ do: "stop-receiver" });
  if (!isHolder) return takeOver(askAlone(view, term));
  // After a start the record on the own disk may be an old one.
  if (!view.granted) return takeOver({ do: "ask-votes", term, alone: false });
  const writing = stillWriting(view, term);
  if (writing) return { eligible: true, step: null, awaiting: `${writing} to stop writing` };
  if (server.replica.pending) return takeOver({ do: "apply-received" });
  return takeOver({ do: "open" });
}

/**
 * A node that an operator's word left behind, and that has not said since it was told that it stopped: no vote and no
 * missing acknowledgement has stopped it. One that is silent was powered off by that operator.
 */
export function stillWriting({ peers }: Pick<View, "peers">, term: Term): string | undefined {
  const hasStopped = ({ said }: PeerView) =>
    said !== null && said.state !== "writer" && (said.term?.term ?? 0) >= term.term;
  return peers.find(
    (peer) => term.overruled?.includes(peer.name) === true && peer.state === "alive" && !hasStopped(peer),
  )?.name;
}

/** For the term that names this node alone; not while its gateway's vote is about to be known. */
function askAlone(view: View, term: Term): Step | null {
  const vote = mayGoAlone(view, term);
  const isAnswering = view.peers.some(({ name, state }) => term.voters.includes(name) && state === "alive");
  if (vote === "wait" && !isAnswering) return null;
  return { do: "ask-votes", term: alone(view), alone: vote === "yes" };
}

function takeOver(step: Step | null): Decision {
  return { eligible: true, step, awaiting: "to take over" };
}

function decideWriter(view: View, server: ServerState, term: Term): Decision {
  const { self, vip, standDown } = view;
  const may = term.writer === self && term.in_sync.includes(self) && view.quarantine === null && !standDown;
  // UNKNOWN is an agent that has just started: it changes nothing that was right.
  const { source } = server;
  const replica = view.peers.find((peer) => term.in_sync.includes(peer.name));
  const isCut = term.in_sync.length > 1 && (!replica || isLost(replica, view, source));
  // It can acknowledge nothing and nobody would grant it more: when a cut heals, the VIP must not come back to it.
  const isMute = isCut && !hasVoice(view, term);
  // Commits that wait would stay in its log as its own: killed, it starts without them if another one went on.
  const isOutrun = !term.in_sync.includes(self) && source.enabled && source.strict;
  if (isMute || isOutrun) return { eligible: false, step: { do: "kill" }, awaiting: "to stop writing" };
  if (!may || vip === "BACKUP" || vip === "FAULT") {
    return { eligible: may, step: { do: wayToStop(view, source) }, awaiting: "to stop writing" };
  }
  if (term.in_sync.length > 1) {
    if (!replica || isCut) return serve(vip === "MASTER" ? askAlone(view, term) : null);
    if (!source.enabled || !source.strict) return serve({ do: "protect", after: null });
    if (view.unheard) return serve(vip === "MASTER" ? askAlone(view, term) : null);
    // What reached it while it did not acknowledge is never asked for again, and holds up all that comes after it.
    if (view.stuckMs >= slowMs && source.active && isLevelling(replica, self)) {
      return serve({ do: "prove-peer", peer: replica.name, term: null });
    }
    const isUnproven = replica.said?.able === false && !replica.said.stands_down;
    if (isUnproven && isLevelling(replica, self) && source.active) {
      return serve({ do: "prove-peer", peer: replica.name, term: null });
    }
    return serve(council(view, term));
  }
  const candidate = view.peers.find((peer) => peer.state === "alive" && isLevelling(peer, self));
  const isStuck = view.stuckMs >= (candidate ? slowMs : stuckEnoughMs);
  if (candidate && source.active && source.replicas > 0 && !isStuck) {
    if (!source.strict) return serve({ do: "protect", after: candidate.name });
    const both = next(view, [self, candidate.name]);
    return serve(view.granted ? { do: "prove-peer", peer: candidate.name, term: both } : council(view, term));
  }
  if (source.strict || !source.enabled || isStuck) {
    // After a restart of the agent: the term may be an old one, and released commits cannot be taken back.
    if (!view.granted) {
      return serve(hasMajority(view, term) ? { do: "ask-votes", term, alone: false } : null);
    }
    return serve({ do: "release", cut: isStuck || !view.peers.some((peer) => peer.state === "alive") });
  }
  return serve(council(view, term));
}

/**
 * A fence commits what waits. The replica gets that while it acknowledges; a commit that it will never see would stay
 * as this node's own, so that waits to be acknowledged or dies with its server.
 */
function wayToStop({ stuckMs, flowing }: View, source: ServerState["source"]): "fence" | "settle" | "kill" {
  if (!source.strict || source.waiting === 0 || flowing) return "fence";
  return stuckMs >= stuckEnoughMs ? "kill" : "settle";
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
  return silent && (source.replicas === 0 || view.stuckMs >= stuckEnoughMs || replica.stalled);
}

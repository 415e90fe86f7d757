import type { Liveness } from "../../../cluster/types.ts";
import { electorate, isMajority, isTied, type Term } from "../../../cluster/vote/term.ts";
import type { Step, View } from "./view.ts";

/** As far as this node knows; who is not known may live. */
function livenessOf({ self, peers, bystanders }: Council, name: string): Liveness {
  if (name === self) return "alive";
  return [...peers, ...bystanders].find((member) => member.name === name)?.state ?? "dead";
}

type Council = Pick<View, "self" | "term" | "peers" | "bystanders" | "gateway" | "heard">;

/** Whether a third voter can break the tie of a cut between the two nodes. */
export function hasThird(view: Council, term: Term): boolean {
  return electorate(term).filter((name) => livenessOf(view, name) !== "left").length > 2;
}

/**
 * Where two voters are all there are, and the other is silent: may this node go on alone? With the gateway's vote either
 * may, which concedes two writers where both have it all the while; without, it is the replica, because the writer
 * cannot acknowledge without it. `wait`: the gateway's vote is about to be known.
 */
export function mayGoAlone(view: Council, term: Term): "yes" | "no" | "wait" {
  const { self, heard, gateway } = view;
  // Before its agent started the other one may have gone on without it.
  const knows = term.voters.every((name) => name === self || heard.includes(name));
  if (!isTied(term) || !knows || (term.tie !== "gateway" && term.writer === self)) return "no";
  if (gateway.vote === "unsure") return "wait";
  // The writer stands still until then; a replica that lost its gateway with it is the one that is cut off.
  if (term.tie === "replica") return gateway.vote === "lost" ? "no" : "yes";
  return gateway.vote === "steady" ? "yes" : "no";
}

/** Whether a majority of the voters may live. A silent moment is no death. */
export function hasMajority(view: Council, term: Term): boolean {
  const may = (name: string) => livenessOf(view, name) !== "dead";
  return isMajority(term, may, (name) => livenessOf(view, name) === "left");
}

/** Whether asking for a new term makes sense. */
export function hasVoice(view: Council, term: Term): boolean {
  return hasMajority(view, term) || mayGoAlone(view, term) !== "no";
}

/** The next term, by this node. Until the last one is known to be granted, its old voters have their say. */
export function next(
  { self, term, granted }: Pick<View, "self" | "term" | "granted">,
  inSync: string[],
): Term {
  const overruled = term?.overruled?.filter((name) => !inSync.includes(name)) ?? [];
  return {
    term: (term?.term ?? 0) + 1,
    writer: self,
    in_sync: inSync,
    voters: term?.voters ?? [self],
    old_voters: granted ? [] : (term?.old_voters ?? []),
    ...(overruled.length > 0 && { overruled }),
    tie: term?.tie ?? "replica",
  };
}

/**
 * The writer's business with its voters while nothing presses: has its term confirmed, ends a change of voters, begins
 * one. Only while a majority lives, so that it never delays what matters.
 */
export function council(view: View, term: Term): Step | null {
  const isAlive = (name: string) => livenessOf(view, name) === "alive";
  if (!isMajority(term, isAlive, (name) => livenessOf(view, name) === "left")) return null;
  if (!view.granted) return { do: "ask-votes", term, alone: false };
  if (term.old_voters.length > 0) return { do: "ask-votes", term: next(view, term.in_sync), alone: false };
  const wanted = wantedVoters(view, term);
  if (!wanted.every(isAlive)) return null;
  if (wanted.join() === term.voters.join()) return settleTie(view, term);
  const change: Term = { ...next(view, term.in_sync), voters: wanted, old_voters: term.voters };
  const added = wanted.filter((name) => !term.voters.includes(name));
  return { do: "name-voters", term: change, added, from: term.voters.filter(isAlive) };
}

/**
 * How two voters break a tie is agreed in a term, like all else. From the gateway's vote to the replica's privilege it
 * takes two: the first one binds the writer, before the replica may go by the second one.
 */
function settleTie(view: View, term: Term): Step | null {
  const tie = isTied(term) ? wantedTie(view, term) : term.tie;
  if (tie === term.tie) return null;
  return { do: "ask-votes", term: { ...next(view, term.in_sync), tie }, alone: false };
}

function wantedTie({ policy, gateway, peers }: View, { tie, voters }: Term): Term["tie"] {
  const others = peers.filter(({ name }) => voters.includes(name));
  const answers = [gateway.answers, ...others.map(({ said }) => said?.gateway ?? null)];
  const isKnown = answers.every((answer) => answer !== null);
  if (policy === "available" && !isKnown) return tie;
  if (policy === "available" && answers.every(Boolean)) return "gateway";
  return tie === "gateway" ? "changing" : "replica";
}

/** A third voter that was silent this long gives way to another member that lives; a restart takes less. */
const replaceMs = 10_000;

/**
 * The role's nodes that know this term, and one more member: the one it is while it lives, or the longest a member of
 * those alive.
 */
function wantedVoters(view: View, term: Term): string[] {
  const others = view.peers.filter(
    ({ name, state, said }) =>
      state !== "left" && (term.voters.includes(name) || said?.term?.term === term.term),
  );
  const nodes = [{ name: view.self, index: view.index }, ...others].sort((a, b) => a.index - b.index);
  const names = nodes.map(({ name }) => name);
  if (names.length < 2) return names;
  const candidates = view.bystanders.filter(({ state }) => state !== "left");
  const present = candidates.find(({ name }) => term.voters.includes(name));
  const other = candidates.find(({ state }) => state === "alive");
  const isGone = !present || (present.state === "dead" && present.silentMs >= replaceMs);
  const third = isGone ? (other ?? present) : present;
  return third ? [...names, third.name] : names;
}

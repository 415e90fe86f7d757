import { isMajority, type Term } from "../../../cluster/vote/term.ts";

/** What is known of the record and of who answers, where a node is to become the writer by an operator's word. */
export interface Standing {
  self: string;
  newest: Term;
  /** Its server has lost nothing since it was found to hold everything. */
  proven: boolean;
  /** Its last transaction; null: its server is down. */
  position: string | null;
  /** Members that answered; who left has no say. */
  answered: readonly string[];
  left: readonly string[];
  /** "12 s ago", or "before …". */
  lastHeard: (name: string) => string;
}

/** What an operator's word could cost, a sentence each; empty: nothing that a client was told of. Pure. */
export function possibleLoss(standing: Standing): string[] {
  const losses = lossesOf(standing);
  const { self, position } = standing;
  return losses.length > 0 && position ? [...losses, `${self} holds transactions up to ${position}`] : losses;
}

function lossesOf({ self, newest, proven, answered, left, lastHeard }: Standing): string[] {
  const others = holders(newest, self).filter((name) => !left.includes(name));
  if (!newest.in_sync.includes(self)) {
    const names = others.join(" and ") || newest.writer;
    return [`what ${names} acknowledged while ${self} was not in sync (term ${newest.term})`];
  }
  const losses: string[] = [];
  if (newest.writer !== self && !proven) {
    losses.push(`what ${self} had received and not yet applied when its server last stopped`);
  }
  const silent = others.filter((name) => !answered.includes(name));
  const hasSpoken = (name: string) => name === self || answered.includes(name);
  // Nobody can have won a later term without one of a majority, and none of these knows of one.
  const isNewestOfAll = isMajority(newest, hasSpoken, (name) => left.includes(name));
  if (silent.length > 0 && !isNewestOfAll) {
    const heard = silent.map((name) => `${name} was last heard ${lastHeard(name)}`).join(", ");
    losses.push(`what ${silent.join(" and ")} acknowledged alone since (${heard})`);
  }
  return losses;
}

/** Nodes other than `self` that may hold what clients were told of: the writer, those in sync, those overruled before. */
export function holders({ writer, in_sync, overruled = [] }: Term, self: string): string[] {
  return [...new Set([writer, ...in_sync, ...overruled])].filter((name) => name !== self);
}

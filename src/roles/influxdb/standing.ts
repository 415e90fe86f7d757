/** What one of the twins says of itself. */
export interface Standing {
  /** Its server takes points and gives them back, and is one of the twins. */
  serving: boolean;
  /** For how long its server was not there since it last had everything, s; 0: it has everything, as far as is known. */
  away: number;
}

/** What this node knows of the other one. */
export interface Mate {
  /** Its agent is heard. */
  alive: boolean;
  /** It joined before this node. */
  isFirst: boolean;
  /** What it last said; null where that is not known. */
  said: Standing | null;
}

/**
 * `serves`: it has everything, as far as is known. `fills`: the other one serves, which has more. `incomplete`: it lacks
 * points, and no other one has more.
 */
export type Verdict = "serves" | "fills" | "incomplete";

/**
 * Whether clients may read from this node's server, which takes and gives points. Pure.
 * @param isSettled this node has listened for others long enough to hear one that is there
 */
export function judge(own: Standing, mate: Mate | undefined, isSettled: boolean): Verdict {
  if (own.away === 0) return "serves";
  if (!mate) return "incomplete";
  const { alive, isFirst, said } = mate;
  if (!alive) return isSettled ? "incomplete" : "fills";
  if (said === null) return isSettled ? "incomplete" : "fills";
  if (!said.serving) return "incomplete";
  return said.away < own.away || (said.away === own.away && isFirst) ? "fills" : "incomplete";
}

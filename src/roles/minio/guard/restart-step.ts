import type { MinioSpec } from "../../../spec/types.ts";

/** Something that servers read when they start, and never again: what a node has of it, and what its server runs with. Ids. */
export interface StartedWith {
  current: string;
  /** Null: something else. */
  used: string | null;
}

/** Another node of the store, as far as restarts on purpose go. */
export interface Fellow<S extends StartedWith = StartedWith> {
  index: number;
  /** Its agent is heard. */
  alive: boolean;
  /** Its server answers, by its own word. */
  isUp: boolean;
  /** What it said; undefined: nothing. */
  state: S | undefined;
}

interface Situation {
  topology: MinioSpec["topology"];
  /** This node's place among those that have joined. */
  index: number;
  own: StartedWith;
  others: readonly Fellow[];
  /** Clients are sent to this node. */
  hasVip: boolean;
}

/** `restart`: this node's server alone; `restart-all`: those of all nodes, at once. `wait`: for others. */
export type RestartStep = "wait" | "restart" | "restart-all";

/**
 * What a node does whose server has to be started anew. Pure. The servers of a pool are restarted at once, while clients wait:
 * one after another, what is written meanwhile is on the others alone, and would have to be completed before the next one may
 * go, which takes hours where there is much; and two nodes take no writes without one of them. The stores of a mirror are
 * restarted one after the other, the one that has clients last.
 */
export function restartStep(now: Situation): RestartStep {
  return now.topology === "mirror" ? restartOfMirror(now) : restartOfPool(now);
}

function restartOfMirror({ own, hasVip, others }: Situation): RestartStep {
  const [mate] = others;
  if (!hasVip || !mate?.alive) return "restart";
  return mate.isUp && mate.state?.used === own.current ? "restart" : "wait";
}

/** A node that died meanwhile is not waited for: it hears of it when it is back. The first of those that lag has all restarted. */
function restartOfPool({ index, own, others }: Situation): RestartStep {
  const alive = others.filter((other) => other.alive);
  if (!alive.every(({ state }) => state?.current === own.current)) return "wait";
  // One that comes back alone lags: the others serve with it already.
  if (alive.every(({ state }) => state?.used === own.current)) return "restart";
  const isFirst = alive.every((other) => other.index > index || other.state?.used === own.current);
  return isFirst ? "restart-all" : "wait";
}

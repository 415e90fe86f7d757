import type { MinioSpec } from "../../../spec/types.ts";

/** Something that servers read when they start, and never again: what a node has of it, and what its server runs with. Ids. */
export interface StartedWith {
  current: string;
  /** Null: something else. */
  used: string | null;
  /** Its server runs, and was started before that. Undefined: that is not told, and all that do not use it count as such. */
  old?: boolean | undefined;
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

interface Situation<F extends Fellow = Fellow> {
  topology: MinioSpec["topology"];
  /** This node's place among those that have joined. */
  index: number;
  own: StartedWith;
  others: readonly F[];
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
  if (awaited(now).length > 0) return "wait";
  if (now.topology === "mirror") return "restart";
  // One that comes back alone lags: the others serve with it already.
  return isAlone(now) ? "restart" : "restart-all";
}

/** The others that have to do something before this node does. Pure. */
export function awaited<F extends Fellow>(now: Situation<F>): F[] {
  return now.topology === "mirror" ? awaitedInMirror(now) : awaitedInPool(now);
}

/**
 * Whose server is down is waited for, whoever has the clients: these may be on their way here. But for one that has nothing left
 * to do: whether it comes back by itself its node knows, which is asked before (`whyNotBeside`).
 */
function awaitedInMirror<F extends Fellow>({ own, hasVip, others }: Situation<F>): F[] {
  const [mate] = others;
  if (!mate?.alive) return [];
  const { isUp, state } = mate;
  if (isUp) return hasVip && state?.used !== own.current ? [mate] : [];
  return state?.current === own.current && state.old === false ? [] : [mate];
}

/**
 * A node that died meanwhile is not waited for: it hears of it when it is back. The first of those that lag has all restarted.
 * One whose server was started anew and does not answer has nothing left to do, and lags no more.
 */
function awaitedInPool<F extends Fellow>(now: Situation<F>): F[] {
  const { index, own } = now;
  const alive = now.others.filter((other) => other.alive);
  const lacking = alive.filter(({ state }) => state?.current !== own.current);
  if (lacking.length > 0 || isAlone(now)) return lacking;
  return alive.filter((other) => other.index < index && lags(other, own));
}

const isAlone = ({ own, others }: Situation): boolean =>
  others.every(({ alive, state }) => !alive || state?.used === own.current);

const lags = ({ state }: Fellow, own: StartedWith): boolean => state?.old ?? state?.used !== own.current;

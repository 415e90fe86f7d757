import { isLater, isRetired, type SecretState } from "../../../cluster/secret-store.ts";

/** Another node of the store, as far as a change of the applications' key goes. */
export interface KeyFellow {
  /** Its agent is heard. */
  alive: boolean;
  /** It joined before this node. */
  isFirst: boolean;
  /** What it said; undefined: nothing. */
  state: SecretState | undefined;
}

/**
 * `make`: have this node's server take the next key as well. `take`: tell applications of it from now on. `retire`: have it refuse
 * the one before. `wait`: for others.
 */
export type KeyStep = "none" | "wait" | "make" | "take" | "retire";

/**
 * What a node does next. Pure. Nobody is told of a key before every server takes it; and no server refuses the one before until an
 * operator has said so on any node.
 */
export function nextKeyStep(own: SecretState, others: readonly KeyFellow[]): KeyStep {
  const { next, current, used } = own;
  const said = others.flatMap(({ state }) => state ?? []);
  if (next === null || !isLater(next, current)) return isRetired(own, said) ? "retire" : "none";
  const isToldOf = said.some((state) => state.current === next);
  if (isToldOf) return used === next ? "take" : "make";
  if (!others.every(({ alive, state }) => alive && state?.next === next)) return "wait";
  // The servers of a pool share their accounts, and two that write one together refuse each other: the first makes it.
  const isMade = others.every(({ isFirst, state }) => !isFirst || state?.used === next);
  if (used !== next) return isMade ? "make" : "wait";
  return said.every((state) => state.used === next) ? "take" : "wait";
}

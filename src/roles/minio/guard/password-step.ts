import { isLater, type SecretState } from "../../../cluster/secret-store.ts";
import type { MinioSpec } from "../../../spec/types.ts";

/** Another node of the store, as far as a change of the administrator's password goes. */
export interface Fellow {
  index: number;
  /** Its agent is heard. */
  alive: boolean;
  /** Its server answers, by its own word. */
  isUp: boolean;
  /** What it said; undefined: nothing. */
  state: SecretState | undefined;
}

export interface Situation {
  topology: MinioSpec["topology"];
  /** This node's place among those that have joined. */
  index: number;
  own: SecretState;
  others: readonly Fellow[];
  /** The server's settings have the password that this node goes by. */
  isWritten: boolean;
  /** This node's server was started before they were written. */
  isOld: boolean;
  /** It answers. */
  reads: boolean;
  /** Clients are sent to this node. */
  hasVip: boolean;
}

/**
 * `take`: go by the new password, and write it into the settings. `write`: the settings lack it. `restart`: this node's
 * server alone; `restart-all`: those of all nodes, at once. `used`: its server runs with it. `wait`: for others.
 */
export type Step = "none" | "wait" | "take" | "write" | "restart" | "restart-all" | "used";

/**
 * What a node does next. Pure. The servers of a pool prove to each other with this password that they belong together
 * (`validateStorageRequestToken` in MinIO's storage-rest-server.go): one that has another one is out, so one after another
 * would leave fewer than writes need in between, and all are restarted at once. The stores of a mirror are restarted one
 * after the other, the one that has clients last.
 */
export function nextStep(now: Situation): Step {
  const { own, others } = now;
  if (own.next !== null && isLater(own.next, own.current)) return mayTake(own.next, others) ? "take" : "wait";
  if (own.used === own.current) return "none";
  if (!now.isWritten) return "write";
  if (!now.isOld) return now.reads ? "used" : "wait";
  return now.topology === "mirror" ? restartOfMirror(now) : restartOfPool(now);
}

/** All have it, or the change has come further than that. */
function mayTake(id: string, others: readonly Fellow[]): boolean {
  if (others.some(({ state }) => state?.current === id)) return true;
  return others.every(({ alive, state }) => alive && state?.next === id);
}

function restartOfMirror({ hasVip, others }: Situation): Step {
  const [mate] = others;
  if (!hasVip || !mate?.alive) return "restart";
  return mate.isUp && mate.state?.used === mate.state?.current ? "restart" : "wait";
}

/** A node that died meanwhile is not waited for: it hears of it when it is back. The first of those that lag has all restarted. */
function restartOfPool({ index, own, others }: Situation): Step {
  const alive = others.filter((other) => other.alive);
  if (!alive.every(({ state }) => state?.current === own.current)) return "wait";
  // One that comes back alone lags: the others serve with it already.
  if (alive.every(({ state }) => state?.used === own.current)) return "restart";
  const isFirst = alive.every((other) => other.index > index || other.state?.used === own.current);
  return isFirst ? "restart-all" : "wait";
}

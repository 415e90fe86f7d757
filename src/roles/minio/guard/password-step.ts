import { isLater, type SecretState } from "../../../cluster/secret-store.ts";
import type { MinioSpec } from "../../../spec/types.ts";
import { restartStep, type Fellow as AnyFellow, type RestartStep } from "./restart-step.ts";

/** Another node of the store, as far as a change of the administrator's password goes. */
export type Fellow = AnyFellow<SecretState>;

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
 * `take`: go by the new password, and write it into the settings. `write`: the settings lack it. `used`: its server runs
 * with it.
 */
export type Step = RestartStep | "none" | "take" | "write" | "used";

/**
 * What a node does next. Pure. The servers of a pool prove to each other with this password that they belong together
 * (`validateStorageRequestToken` in MinIO's storage-rest-server.go): one that has another one is out, so that one after
 * another would leave fewer than writes need in between.
 */
export function nextStep(now: Situation): Step {
  const { own, others } = now;
  if (own.next !== null && isLater(own.next, own.current)) return mayTake(own.next, others) ? "take" : "wait";
  if (own.used === own.current) return "none";
  if (!now.isWritten) return "write";
  if (!now.isOld) return now.reads ? "used" : "wait";
  return restartStep(now);
}

/** All have it, or the change has come further than that. */
function mayTake(id: string, others: readonly Fellow[]): boolean {
  if (others.some(({ state }) => state?.current === id)) return true;
  return others.every(({ alive, state }) => alive && state?.next === id);
}

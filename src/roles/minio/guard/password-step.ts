import { isLater, type SecretState } from "../../../cluster/secret-store.ts";
import type { MinioSpec } from "../../../spec/types.ts";
import {
  awaited,
  restartStep,
  type Fellow as AnyFellow,
  type RestartStep,
  type StartedWith,
} from "./restart-step.ts";

/** Another node of the store, as far as a change of the administrator's password goes. */
export interface Fellow<S extends StartedWith = StartedWith> extends AnyFellow<S> {
  name: string;
}

export interface Situation {
  topology: MinioSpec["topology"];
  /** This node's place among those that have joined. */
  index: number;
  own: SecretState;
  /** What the others' agents hold. */
  holders: readonly Fellow<SecretState>[];
  /** What is in the settings of the others' servers, and what these run with. */
  others: readonly Fellow[];
  /** The server's settings have the password that this node goes by. */
  isWritten: boolean;
  /** This node's server was started before they were written. */
  isOld: boolean;
  /** It answers, or does not run: then it will be started with them. */
  isSettled: boolean;
  /** Clients are sent to this node. */
  hasVip: boolean;
  /** So many nodes of a pool may be without their servers while writes go on. */
  spare: number;
}

/**
 * `take`: go by the new password, and write it into the settings. `write`: the settings lack it. `used`: its server runs
 * with it, or will.
 */
export type Step = RestartStep | "none" | "take" | "write" | "used";

/** What a node does next, and whom or what it waits for, as one line; null: nobody. */
export interface Next {
  step: Step;
  awaiting: string | null;
}

const now = (step: Step): Next => ({ step, awaiting: null });
const wait = (awaiting: string): Next => ({ step: "wait", awaiting });

/**
 * What a node does next. Pure. The servers of a pool prove to each other with this password that they belong together
 * (`validateStorageRequestToken` in MinIO's storage-rest-server.go): one that has another one is out, so that one after
 * another would leave fewer than writes need in between. Until the first node takes it nothing has changed, and all are waited for: of one
 * whose agent is not heard the server may go on by the old one. From then on every server that ends comes back with the new one, so
 * none is waited for that the others can do without: it will be started with it, or hears of it when its agent is back.
 */
export function nextStep(situation: Situation): Next {
  const { own, holders, isOld, isSettled, isWritten } = situation;
  if (own.next !== null && isLater(own.next, own.current)) return taking(own.next, holders);
  if (own.used === own.current) return now("none");
  if (!isWritten) return now("write");
  if (!isOld) return isSettled ? now("used") : wait("its server was started with it, and does not answer");
  const needed = missed(situation);
  if (needed.length > 0) {
    return wait(`waiting for ${named(needed)}, not heard: without the server there nothing could be written`);
  }
  const late = awaited(situation);
  return late.length > 0 ? wait(whatFor(late, situation)) : now(restartStep(situation));
}

/** All have it, or the change has come further than that. */
function taking(id: string, holders: readonly Fellow<SecretState>[]): Next {
  if (holders.some(({ state }) => state?.current === id)) return now("take");
  const away = holders.filter(({ alive }) => !alive);
  if (away.length > 0) {
    return wait(
      `nothing is changed before ${named(away)}, not heard, ${away.length > 1 ? "are" : "is"} there`,
    );
  }
  const lacking = holders.filter(({ state }) => state?.next !== id);
  return lacking.length > 0 ? wait(`waiting for ${named(lacking)} to hear of it`) : now("take");
}

/** Those whose servers may run without anybody who could restart them, where the others cannot do without. */
function missed({ topology, own, others, spare }: Situation): Fellow[] {
  const away = others.filter(({ alive, state }) => !alive && state?.used !== own.current);
  return topology === "pool" && away.length > spare ? away : [];
}

function whatFor(late: readonly Fellow[], { topology, own }: Situation): string {
  const lacking = late.filter(({ state }) => state?.current !== own.current);
  if (lacking.length > 0) return `waiting for ${named(lacking)} to have it in its server's settings`;
  if (topology === "pool") return `waiting for ${named(late)} to restart all servers at once`;
  const down = late.filter(({ isUp }) => !isUp);
  if (down.length > 0) return `waiting for the server of ${named(down)} to answer`;
  return `waiting for the server of ${named(late)} to be restarted first`;
}

const named = (fellows: readonly Fellow[]): string => fellows.map(({ name }) => name).join(" and ");

import { awaitOutage, type Acknowledged, type Moment, type Outage } from "./outage.ts";

/** One fault, done. */
export interface Strike extends Moment {
  /** The node that it hit. */
  victim: string;
  /** Undoes it, where it does not end by itself. */
  mend?(): Promise<void>;
}

/** Where a drill takes place: a lab, or a cluster that serves. */
export interface Stage<Kind extends string> {
  strike(kind: Kind): Promise<Strike>;
  /** Waits until the pair can stand the next fault. @throws where it does not come to that */
  untilLevel(): Promise<void>;
  /** All acknowledged rows so far, by time. */
  acknowledged(): Promise<readonly Acknowledged[]>;
}

/** One fault and what clients saw of it. */
export interface Round<Kind extends string = string> {
  kind: Kind;
  victim: string;
  /** When it was done, ms on the clock of `Date.now()`. */
  at: number;
  outage: Outage;
  /** From the fault until the pair could stand the next one, s. */
  levelSeconds: number;
}

/** Long enough for a server that has to be started first. */
const outageMs = 60_000;

/**
 * Faults one after the other, each on a pair that is level. What a fault needs to be undone is undone also when the
 * drill is interrupted.
 * @param told is called after each round
 */
export async function rehearse<Kind extends string>(
  stage: Stage<Kind>,
  kinds: readonly Kind[],
  options: {
    signal?: AbortSignal;
    before?: (kind: Kind, nth: number) => void;
    told?: (round: Round<Kind>) => void;
  },
): Promise<Round<Kind>[]> {
  const { signal, before, told } = options;
  const rounds: Round<Kind>[] = [];
  await stage.untilLevel();
  for (const [i, kind] of kinds.entries()) {
    signal?.throwIfAborted();
    before?.(kind, i + 1);
    const strike = await stage.strike(kind);
    let outage: Outage;
    try {
      const limits = { timeoutMs: outageMs, ...(signal && { signal }) };
      outage = await awaitOutage(() => stage.acknowledged(), strike, limits);
    } finally {
      await strike.mend?.();
    }
    await stage.untilLevel();
    const { victim, at } = strike;
    const round = { kind, victim, at, outage, levelSeconds: (Date.now() - at) / 1000 };
    rounds.push(round);
    told?.(round);
  }
  return rounds;
}

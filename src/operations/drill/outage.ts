import { systemClock } from "../../core/clock.ts";

/** A row that a client was told of; `at` in ms on the clock of `Date.now()`. */
export interface Acknowledged {
  id: number;
  at: number;
}

/** A time in which no connection had a row acknowledged. */
export interface Outage {
  from: number;
  to: number;
  ms: number;
  /** False: no row was acknowledged any more while one was waited for. It counts with the time waited. */
  ended: boolean;
}

/** When something was done to the pair. */
export interface Moment {
  /** ms on the clock of `Date.now()`; just before it, where the exact moment is not known. */
  at: number;
  /** The gap begins at the latest so long after `at`, ms: what is seen later is another one. */
  settleMs: number;
}

/** Gaps between acknowledged rows of at least `minMs`. @param rows by time */
export function gaps(rows: readonly Acknowledged[], minMs: number): Outage[] {
  const all = rows.slice(1).map((row, i) => {
    const from = rows[i]?.at ?? row.at;
    return { from, to: row.at, ms: row.at - from, ended: true };
  });
  return all.filter((gap) => gap.ms >= minMs);
}

/**
 * What clients saw of an event, as far as the rows tell: the longest gap that ends after it. Undefined while no row
 * was acknowledged since it settled.
 * @param rows by time
 */
export function outageOf(rows: readonly Acknowledged[], { at, settleMs }: Moment): Outage | undefined {
  const last = rows.at(-1);
  if (!last || last.at <= at + settleMs) return undefined;
  const next = rows.findIndex((row) => row.at > at + settleMs);
  const before = rows.findLastIndex((row) => row.at < at);
  const seen = gaps(rows.slice(Math.max(0, before), next + 1), 0);
  return seen.reduce((longest, gap) => (gap.ms > longest.ms ? gap : longest), {
    from: at,
    to: at,
    ms: 0,
    ended: true,
  });
}

/** How often it is looked for the first row that was acknowledged again. */
const lookMs = 25;

/**
 * Waits until writes go on after an event. One that does not end within `timeoutMs` is an outage, too.
 * @param rows all acknowledged rows so far, by time
 */
export async function awaitOutage(
  rows: () => Promise<readonly Acknowledged[]>,
  moment: Moment,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<Outage> {
  const giveUp = systemClock.now() + moment.settleMs + options.timeoutMs;
  for (;;) {
    const now = await rows();
    const found = outageOf(now, moment);
    if (found) return found;
    if (systemClock.now() > giveUp) {
      const from = now.at(-1)?.at ?? moment.at;
      const to = systemClock.wall();
      return { from, to, ms: to - from, ended: false };
    }
    await systemClock.sleep(lookMs, options.signal);
  }
}

/** A time in which clients may not have reached a server, so that it may lack points of then. ms since the epoch. */
export interface Outage {
  from: number;
  /** Null: it lasts. */
  to: number | null;
  /** It was not there. Else nobody knows: its agent did not look, or the twin was not heard, unless `hint` says more. */
  sure: boolean;
  /**
   * Nothing says that anything is missing: it is looked at as at all times, or the server answered slowly. `old`: points of all
   * times up to `to`, such as a client brings long after theirs; where it is sure, what was found missing by that.
   */
  hint?: "routine" | "slow" | "old";
  /** Of this bucket alone: the others are filled. Default: of all. */
  bucket?: string;
}

/** The same times, none of a kind twice, the oldest first. Pure. */
export function merged(outages: readonly Outage[]): Outage[] {
  const out: Outage[] = [];
  for (const next of outages.toSorted((a, b) => a.from - b.from)) {
    const last = out.findLast((one) => isAlike(one, next));
    if (!last || (last.to !== null && next.from > last.to)) out.push({ ...next });
    else last.to = last.to === null || next.to === null ? null : Math.max(last.to, next.to);
  }
  return out;
}

/** Of the same kind. Pure. */
export function isAlike(one: Outage, other: Outage): boolean {
  return one.sure === other.sure && one.hint === other.hint && one.bucket === other.bucket;
}

/**
 * An outage and those like it that are less than `closeMs` apart, as one that is no longer than `mostMs`: what is compared around
 * them is the same. Pure.
 */
export function together(
  one: Past,
  others: readonly Past[],
  { closeMs, mostMs }: { closeMs: number; mostMs: number },
): Past {
  const wider = others
    .filter((next) => isAlike(one, next))
    .filter(({ from, to }) => from < one.to + closeMs && to > one.from - closeMs)
    .map(({ from, to }) => ({ ...one, from: Math.min(from, one.from), to: Math.max(to, one.to) }))
    .find(({ from, to }) => to - from <= mostMs && to - from > one.to - one.from);
  return wider ? together(wider, others, { closeMs, mostMs }) : one;
}

/** One that is over. */
export interface Past extends Outage {
  to: number;
}

export function isPast(one: Outage): one is Past {
  return one.to !== null;
}

/**
 * Which is compared before which: what is known to be missing, what nobody has looked at, what nothing is known of. A bucket
 * that is held up alone is tried again and again: nothing makes room for it. Pure.
 */
export function importance({ sure, hint, bucket }: Pick<Outage, "sure" | "hint" | "bucket">): Importance {
  if (bucket !== undefined) return 0;
  return sure ? 2 : hint === undefined ? 1 : 0;
}

export type Importance = 0 | 1 | 2;

/** Up to when points of all times are still to be compared; undefined: all are, since the last outage. Pure. */
export function oldBefore(outages: readonly Outage[]): number | undefined {
  return overallOf(outages).findLast(({ sure, hint }) => !sure && hint === "old")?.to ?? undefined;
}

/** Since when nobody looked, of all buckets; undefined: somebody did all the time, as far as is not compared. Pure. */
export function unseenSince(outages: readonly Outage[]): number | undefined {
  return overallOf(outages).find(({ sure, hint }) => !sure && hint === undefined)?.from;
}

/** For how long it was surely not there, s, in steps that do not change each second: 0 for never, then powers of two. Pure. */
export function awaySeconds(outages: readonly Outage[], now: number): number {
  const sure = outages.filter((one) => one.sure);
  if (sure.length === 0) return 0;
  const ms = sure.reduce((sum, { from, to }) => sum + (to ?? now) - from, 0);
  return 2 ** Math.ceil(Math.log2(Math.max(1, ms / 1_000)));
}

/** Those of all buckets. Pure. */
export function overallOf(outages: readonly Outage[]): Outage[] {
  return outages.filter(({ bucket }) => bucket === undefined);
}

/** Since when points may be missing, as people are told it. Pure. */
export const sinceText = ({ since }: { since: string }): string =>
  Date.parse(since) === 0 ? "of any time" : `since ${since}`;

/** A moment of one, as people and scripts are told it. Pure. */
export const timeText = (ms: number): string => new Date(ms).toISOString();

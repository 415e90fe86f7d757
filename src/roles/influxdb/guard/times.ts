import { allTime, overlap, weekMs, type Range } from "../gap/time.ts";
import type { Withheld } from "../gap/deleted.ts";
import type { Gap } from "../gap/windows.ts";
import type { Outage, Past } from "../outages.ts";

/** Clocks of clients, and points that were held back, ms: so much before and after an outage is compared, too. */
export const marginMs = 60_000;
/** A client writes to one server after the other, ms. */
export const underWayMs = 3_000;
/**
 * Of times that are not longer, and in which there is a reason to look, all values are compared, not only how many there are:
 * each is read on both. So much before and after, too: a client gives up within less.
 */
export const contentsMs = 600_000;
const contentsMarginMs = 5_000;
/** Where nobody writes what is under way. */
const futureMs = 3_600_000;
/** So much of all times is compared before others have their turn, and behind times in which there is nothing at most, ms. */
export const sliceMs = 86_400_000;
export const mostSliceMs = 104 * weekMs;

/** Everything there is, where nobody knows since when; else the outage and the time around it. Pure. */
export function rangesOf({ from, to, hint }: Outage, until: number, now: number): Range[] {
  if (hint === "old") return [{ from: from > 0 ? from : allTime.from, to: to ?? until }];
  if (from > 0) return [{ from: from - marginMs, to: until }];
  return [
    { from: allTime.from, to: until },
    { from: now + futureMs, to: allTime.to },
  ];
}

/** Where each lacks as much as the other one counts are equal. Pure. */
export function contentsOf({ from, to, hint }: Outage, range: Range): Range | false {
  const isLong = to === null || to - from > contentsMs;
  if (hint === "routine" || hint === "old" || isLong) return false;
  return { from: from - contentsMarginMs, to: Math.min(to + contentsMarginMs, range.to) };
}

/** Points of clients whose clocks are ahead come after the end of an outage: that is compared when it is over. Pure. */
export function later({ to, sure, hint, bucket }: Outage, until: number): Outage[] {
  const end = (to ?? until) + marginMs;
  const alone = bucket !== undefined && { bucket };
  return sure && hint !== "old" && until < end
    ? [{ from: until, to: end, sure: false, hint: "routine", ...alone }]
    : [];
}

/**
 * A client may have brought points of any time while one of the servers was not reached, as a gateway does that was cut off itself:
 * all times are compared once an outage is filled. What is known of those that began nowhere is compared with them. Pure.
 */
export function ofAllTimes({ from, hint, bucket }: Outage): Outage[] {
  if (from === 0 || hint !== undefined || bucket !== undefined) return [];
  return [{ from: 0, to: allTime.to, sure: false, hint: "old" }];
}

/** One of the two may have lost points of any time of a bucket. Pure. */
export const everythingOf = (bucket: string, now: number): Outage => ({
  from: 0,
  to: now,
  sure: false,
  bucket,
});

export const isOfAllTimes = ({ sure, hint }: Outage): boolean => hint === "old" && !sure;

/** The newest part of it that is to be compared: first what is ahead of the clients, then so much of the past. Pure. */
export function sliceOf({ from, to }: Outage, now: number, lengthMs: number): Range {
  const ahead = Math.max(from, now + futureMs);
  if (to === null || to > ahead) return { from: ahead, to: to ?? allTime.to };
  const end = Math.min(to, now - underWayMs);
  const begin = Math.max(from, end - lengthMs);
  return { from: begin > 0 ? begin : allTime.from, to: end };
}

/** What is left of it behind a slice. Pure. */
export function older(outage: Outage, slice: Range): Outage[] {
  return slice.from > outage.from ? [{ ...outage, to: slice.from }] : [];
}

/** What of it is withheld, by bucket: that is left to be compared. Pure. */
export function withheldOf(outage: Past, withheld: readonly Withheld[]): Waiting[] {
  return withheld.flatMap(({ bucket, ...range }) => {
    const part = overlap(timesOf(outage), range);
    if (!part || (outage.bucket ?? bucket) !== bucket) return [];
    return [{ ...outage, from: Math.max(0, part.from), to: Math.max(1, part.to), bucket }];
  });
}

/** Whether there is nothing of it that may be compared. Pure. */
export function isWithheld(outage: Past, withheld: readonly Withheld[]): outage is Waiting {
  const { from, to } = timesOf(outage);
  return withheld.some((one) => one.bucket === outage.bucket && one.from <= from && to <= one.to);
}

/** A part of an outage that is to be compared later, of one bucket. */
export type Waiting = Past & Withheld;

/** What begins at 0 begins nowhere. */
const timesOf = ({ from, to }: Past): Range => ({ from: from > 0 ? from : allTime.from, to });

/**
 * What this node's server lacks. What lies ahead of the clients will not be over before then: it is filled as it was found, as
 * what a look at all times finds. Pure.
 * @param to the end of what was compared
 */
export function lackedIn(
  gaps: readonly Gap[],
  { bucket, hint }: Outage,
  { to: end, now }: { to: number; now: number },
): Outage[] {
  return gaps
    .filter(({ missing }) => missing.mine > 0)
    .map(({ from, to }) => ({
      from: Math.max(0, from),
      to: Math.max(1, Math.min(to, end)),
      sure: true,
      ...((hint === "old" || from > now) && { hint: "old" as const }),
      ...(bucket !== undefined && { bucket }),
    }));
}

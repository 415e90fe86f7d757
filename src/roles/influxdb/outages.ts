/** A time in which clients may not have reached a server, so that it may lack points of then. ms since the epoch. */
export interface Outage {
  from: number;
  /** Null: it lasts. */
  to: number | null;
  /** It was not there. Else nobody knows: its agent did not look, or the twin was not heard. */
  sure: boolean;
  /** Of this bucket alone: the others are filled. Default: of all. */
  bucket?: string;
}

/** The same times, none of a kind twice, the oldest first. Pure. */
export function merged(outages: readonly Outage[]): Outage[] {
  const out: Outage[] = [];
  for (const next of outages.toSorted((a, b) => a.from - b.from)) {
    const last = out.findLast(({ sure, bucket }) => sure === next.sure && bucket === next.bucket);
    if (!last || (last.to !== null && next.from > last.to)) out.push({ ...next });
    else last.to = last.to === null || next.to === null ? null : Math.max(last.to, next.to);
  }
  return out;
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

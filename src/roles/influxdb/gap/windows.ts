import type { Server } from "../client.ts";
import { countWindows, joinWindows, type Missing, type Window } from "./counts.ts";
import { listMeasurements, type Measurement } from "./schema.ts";
import { pairBuckets, type Pair, type Wanted } from "./sides.ts";
import { allTime, overlap, weekMs, type Range } from "./time.ts";
import type { Care } from "./pace.ts";

/** A part of time in which the twins have not the same of a measurement. */
export interface Gap extends Range {
  bucket: string;
  measurement: string;
  /** Values, at least; all points of a range are compared when it is filled. */
  missing: Missing;
}

export interface FindOptions extends Wanted {
  limits: Care;
  /** Milliseconds since the Unix epoch, for what retention has ended. */
  now: number;
  /** What is being looked at. */
  progress?: (line: string) => void;
  /** Either has something there. */
  seen?: () => void;
}

/**
 * Coarse to fine, ms. Not coarser: where each server lacks as many values in a window as the other one, the counts are
 * equal and nothing is seen.
 */
const steps = [60_000, 10_000, 1_000] as const;
/** The first look is by the finest windows of which there are no more; longer ranges are looked at in so many at a time. */
const mostWindows = 2_000;
/** Statements in one request: the server answers one after the other. */
const mostStatements = 20;
/** The same where clients are to get in between. */
const mostAtPace = 2;
/** Counts in one answer, about: it is taken as a whole. */
const mostCounts = 200_000;
/** Where there are more runs of differing windows, they are taken as they are: to look closer would take longer than it saves. */
const mostNarrowed = 8;
/** A point is refused when it is older than the retention: what is about to be is left alone. */
const retentionMarginMs = 60_000;

/**
 * Where two twins differ, by the counts of values in windows. Sees points that came late or are in the future; does not see
 * that a value is another one (`digest.ts`).
 * @throws ChimeError why a bucket cannot be compared, `influxdb.*`
 */
export async function* findGaps(
  mine: Server,
  other: Server,
  range: Range,
  options: FindOptions,
): AsyncGenerator<Gap, void> {
  const { pairs, held } = await pairBuckets(mine, other, options, options.limits);
  if (held[0]) throw held[0].why;
  for (const pair of pairs) {
    const { measurements, held } = await listMeasurements(pair, options.limits);
    if (held[0]) throw held[0].why;
    yield* gapsOf(pair, measurements, range, options);
  }
}

/** The same of one bucket. */
export async function* gapsOf(
  pair: Pair,
  measurements: readonly Measurement[],
  range: Range,
  options: FindOptions,
): AsyncGenerator<Gap, void> {
  const kept = overlap(range, keptBy(pair, options.now));
  if (!kept) return;
  let begun = 0;
  for (const some of batches(measurements, options.limits.pace ? mostAtPace : mostStatements)) {
    begun += some.length;
    options.progress?.(`comparing ${pair.name}, ${begun} of ${measurements.length} measurements`);
    const most = mostAtOnce(some);
    const stepMs = firstStep(kept, most);
    const parts = await partsWithData(pair, some, kept, stepMs * most, options.limits);
    for (const [measurement, runs] of await runsIn(pair, parts, stepMs, options)) {
      for (const run of await narrow(pair, measurement, runs, stepMs, options.limits)) {
        yield gapOf(pair, measurement, run);
      }
    }
  }
}

/** Of each measurement the windows that differ, as runs. */
async function runsIn(
  pair: Pair,
  parts: readonly Part[],
  stepMs: number,
  { limits, seen }: FindOptions,
): Promise<Map<Measurement, Run[]>> {
  const runs = new Map<Measurement, Run[]>();
  for (const [part, present] of parts) {
    const counted = await countWindows(pair, present, part, stepMs, limits);
    if (counted.some((windows) => windows.length > 0)) seen?.();
    for (const [i, measurement] of present.entries()) {
      const found = runs.get(measurement) ?? [];
      for (const window of counted[i]?.filter(differs) ?? []) extend(found, window);
      runs.set(measurement, found);
    }
  }
  return runs;
}

/** A part of a range, and what either has points of in it. */
type Part = [Range, Measurement[]];

/** A range in parts that are no longer than may be asked for at once, oldest first; what neither has points in is left out. */
async function partsWithData(
  pair: Pair,
  measurements: readonly Measurement[],
  range: Range,
  partMs: number,
  limits: Care,
): Promise<Part[]> {
  if (range.to - range.from <= partMs) return [[range, [...measurements]]];
  const weeks = new Map<number, { week: Range; present: Measurement[] }>();
  const counted = await countWindows(pair, measurements, range, weekMs, limits);
  for (const [i, measurement] of measurements.entries()) {
    for (const { from, to } of counted[i] ?? []) {
      const found = weeks.get(from) ?? { week: { from, to }, present: [] };
      found.present.push(measurement);
      weeks.set(from, found);
    }
  }
  const parts: Part[] = [];
  for (const { week, present } of [...weeks.values()].sort((a, b) => a.week.from - b.week.from)) {
    for (let { from } = week; from < week.to; from += partMs) {
      parts.push([{ from, to: Math.min(week.to, from + partMs) }, present]);
    }
  }
  return parts;
}

/** What neither of them has dropped, or is about to drop. */
export function keptBy({ mine }: Pair, now: number): Range {
  const { retentionSeconds } = mine.bucket;
  return retentionSeconds === 0
    ? allTime
    : { ...allTime, from: now - retentionSeconds * 1000 + retentionMarginMs };
}

/** So that the counts of each by as many windows as there may be are not too many for one answer. Pure. */
export function batches(measurements: readonly Measurement[], most = mostStatements): Measurement[][] {
  const all: Measurement[][] = [];
  let fields = 0;
  for (const measurement of measurements) {
    const last = all.at(-1);
    fields += fieldsOf(measurement);
    if (last && last.length < most && fields * mostWindows <= mostCounts) last.push(measurement);
    else {
      all.push([measurement]);
      fields = fieldsOf(measurement);
    }
  }
  return all;
}

const fieldsOf = ({ mine, other }: Measurement): number => Math.max(1, mine.size, other.size);

/** Windows of all of these at once. */
function mostAtOnce(measurements: readonly Measurement[]): number {
  const fields = measurements.reduce((sum, one) => sum + fieldsOf(one), 0);
  return Math.max(1, Math.min(mostWindows, Math.floor(mostCounts / fields)));
}

function firstStep({ from, to }: Range, most: number): number {
  return steps.findLast((step) => (to - from) / step <= most) ?? steps[0];
}

function differs({ missing }: Window): boolean {
  return missing.mine > 0 || missing.other > 0;
}

/** Windows that follow one another: the first, the last, and one for all between them. */
type Run = Window[];

function extend(runs: Run[], window: Window): void {
  const run = runs.at(-1);
  const last = run?.at(-1);
  if (!run || last?.to !== window.from) {
    runs.push([window]);
    return;
  }
  if (run.length > 2) run.splice(-2, 2, joinWindows(run[1] as Window, last));
  run.push(window);
}

function runsOf(windows: readonly Window[]): Run[] {
  const runs: Run[] = [];
  for (const window of windows) extend(runs, window);
  return runs;
}

/** Looks closer at both ends of each run, level by level: what lies between is compared when it is filled. */
async function narrow(
  pair: Pair,
  measurement: Measurement,
  runs: readonly Run[],
  stepMs: number,
  limits: Care,
): Promise<Window[][]> {
  const finer = steps.find((step) => step < stepMs);
  if (finer === undefined || runs.length > mostNarrowed) return [...runs];
  const narrowed: Window[][] = [];
  for (const run of runs) {
    const [first, ...rest] = run;
    const last = rest.pop();
    const looked: Window[] = [];
    for (const end of [first, last]) {
      // One that is not there on one side is missing as a whole.
      if (!end || end.oneSided) looked.push(...(end ? [end] : []));
      else
        looked.push(
          ...((await countWindows(pair, [measurement], end, finer, limits))[0] ?? []).filter(differs),
        );
    }
    narrowed.push(...runsOf([...looked, ...rest].sort((a, b) => a.from - b.from)));
  }
  return narrow(pair, measurement, narrowed, finer, limits);
}

function gapOf(pair: Pair, { name }: Measurement, run: readonly Window[]): Gap {
  const sum = (one: keyof Missing) => run.reduce((all, { missing }) => all + missing[one], 0);
  return {
    bucket: pair.name,
    measurement: name,
    from: run[0]?.from ?? 0,
    to: run.at(-1)?.to ?? 0,
    missing: { mine: sum("mine"), other: sum("other") },
  };
}

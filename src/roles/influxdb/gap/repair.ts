import type { Clock } from "../../../core/clock.ts";
import type { Server } from "../client.ts";
import { fill, nothingFilled, type Filled } from "./fill.ts";
import type { Withheld } from "./deleted.ts";
import type { FillRecord } from "./record.ts";
import { atPace } from "./felt.ts";
import type { Care } from "./pace.ts";
import { listMeasurements, type Measurement } from "./schema.ts";
import { pairBuckets, type Held, type Pair, type Which } from "./sides.ts";
import { overlap, without, type Range } from "./time.ts";
import { unequal } from "./verify.ts";
import { gapsOf, keptBy, type FindOptions, type Gap } from "./windows.ts";

export interface CompareOptions extends Omit<FindOptions, "now"> {
  clock: Clock;
  /** Also compares all values where the counts are equal, in all of the range or in this part of it: reads everything there. */
  contents: boolean | Range;
  /** Leaves the servers to their clients most of the time. */
  isGentle: boolean;
  /** What is left out. */
  withheld?: readonly Withheld[];
}

export interface RepairOptions extends CompareOptions {
  /** Whose value counts where both have one for the same field of the same point; without, both keep theirs. */
  authority: Which | undefined;
  record: FillRecord;
  /** After each window. */
  filling?: (filled: Filled) => void;
}

export interface Compared {
  gaps: Gap[];
  /** Buckets that were left out, or measurements of them. */
  held: Held[];
}

export interface Repaired {
  /** Where they differed. */
  found: Gap[];
  filled: Filled;
  /** Where they still do: what a server refuses, or what both have another value for. */
  left: Gap[];
  /** Buckets that were left out, or measurements of them: all else is equal but for `left`. */
  held: Held[];
}

/** What is found at first, and what a second look finds: points that were on their way at the first. */
const rounds = 3;

/**
 * Where the twins differ in a range, of all buckets. The range has to end before now by as long as points may be under way.
 * @throws ChimeError `influxdb.*`
 */
export async function compareTwins(
  mine: Server,
  other: Server,
  range: Range,
  options: CompareOptions,
): Promise<Compared> {
  return carefully(mine, other, options, (care) => compareNow(mine, other, range, care));
}

async function compareNow(
  mine: Server,
  other: Server,
  range: Range,
  options: CompareOptions,
): Promise<Compared> {
  const gaps: Gap[] = [];
  options.progress?.("asking both servers for their buckets");
  const { pairs, held } = await pairBuckets(mine, other, options, options.limits);
  for (const pair of pairs) {
    const compared = await compareBucket(pair, range, options);
    gaps.push(...compared.gaps);
    held.push(...compared.held);
  }
  return { gaps, held };
}

async function compareBucket(pair: Pair, range: Range, options: CompareOptions): Promise<Compared> {
  const holes = options.withheld?.filter(({ bucket }) => bucket === pair.name) ?? [];
  const { measurements, held } = await listMeasurements(pair, options.limits);
  const gaps: Gap[] = [];
  for (const piece of without(range, holes))
    gaps.push(...(await comparePiece(pair, measurements, piece, options)));
  return { gaps, held };
}

async function comparePiece(
  pair: Pair,
  measurements: readonly Measurement[],
  range: Range,
  options: CompareOptions,
): Promise<Gap[]> {
  const now = options.clock.wall();
  const gaps = await Array.fromAsync(gapsOf(pair, measurements, range, { ...options, now }));
  const { contents } = options;
  const where = contents === true ? range : contents && overlap(contents, range);
  const kept = where && overlap(where, keptBy(pair, now));
  if (!kept) return gaps;
  for (const measurement of measurements) {
    options.progress?.(`comparing values of ${measurement.name} in ${pair.name}`);
    const known = gaps.filter((gap) => gap.measurement === measurement.name);
    for (const piece of without(kept, known))
      gaps.push(...(await unequalIn(pair, measurement, piece, options)));
  }
  return gaps;
}

async function unequalIn(
  pair: Pair,
  measurement: Measurement,
  range: Range,
  { limits }: { limits: Care },
): Promise<Gap[]> {
  const found: Gap[] = [];
  for await (const { from, to } of unequal(pair, measurement, range, limits)) {
    found.push({
      bucket: pair.name,
      measurement: measurement.name,
      from,
      to,
      missing: { mine: 0, other: 0 },
    });
  }
  return found;
}

/**
 * Finds where the twins differ, gives each what the other one has, newest first, and proves by counts and hashes of all
 * values that they are equal there. Whatever was deleted has to be deleted on both before (`Deletions`). Killed at any
 * point it goes on where it was; done again it changes nothing.
 * @throws ChimeError `influxdb.*`
 */
export async function repairTwins(
  mine: Server,
  other: Server,
  range: Range,
  options: RepairOptions,
): Promise<Repaired> {
  return carefully(mine, other, options, (care) => repairNow(mine, other, range, care));
}

async function repairNow(
  mine: Server,
  other: Server,
  range: Range,
  options: RepairOptions,
): Promise<Repaired> {
  const { limits, record } = options;
  const { pairs, held } = await pairBuckets(mine, other, options, limits);
  const repaired: Repaired = { found: [], filled: nothingFilled(), left: [], held: [] };
  for (let round = 1; round <= rounds; round++) {
    const open: Open[] = [];
    repaired.held = [...held];
    for (const pair of pairs) {
      const compared = await compareBucket(pair, range, options);
      repaired.held.push(...compared.held);
      // A field may have come with the gap: types are asked anew.
      const { measurements } = await listMeasurements(pair, limits);
      const byName = new Map(measurements.map((one) => [one.name, one]));
      for (const gap of compared.gaps) {
        const measurement = byName.get(gap.measurement);
        if (measurement) open.push({ pair, measurement, gap });
      }
    }
    if (round === 1) repaired.found = open.map(({ gap }) => gap);
    for (const one of byAge(open, options.clock.wall())) {
      options.progress?.(`filling ${one.gap.measurement} in ${one.gap.bucket}`);
      await fill(one.pair, one.measurement, one.gap, fillOptions(options), repaired.filled);
    }
    repaired.left = [];
    for (const { pair, measurement, gap } of open) {
      options.progress?.(`proving ${gap.measurement} in ${gap.bucket}`);
      repaired.left.push(...(await unequalIn(pair, measurement, gap, options)));
    }
    await record.clear();
    if (repaired.left.length === 0) return repaired;
  }
  return repaired;
}

/** At a pace that clients can stand, where that is wanted. */
function carefully<Options extends CompareOptions, T>(
  mine: Server,
  other: Server,
  options: Options,
  work: (options: Options) => Promise<T>,
): Promise<T> {
  const { isGentle, clock, limits } = options;
  if (!isGentle) return work(options);
  return atPace([mine, other], clock, limits, (care) => work({ ...options, limits: care }));
}

/** One gap, or a part of it, and where it is. */
interface Open {
  pair: Pair;
  measurement: Measurement;
  gap: Gap;
}

function fillOptions({ limits, clock, authority, record, filling }: RepairOptions) {
  return { limits, clock, authority, record, ...(filling && { progress: filling }) };
}

const hourMs = 3_600_000;

/** What is asked for most comes first, of all measurements: the last hour, the last day, the last week, and on by fours. */
function byAge(open: readonly Open[], now: number): Open[] {
  const slices: { age: number; open: Open }[] = [];
  for (const one of open) {
    let to = Number.POSITIVE_INFINITY;
    for (let ms = hourMs; to > one.gap.from; ms *= ms < 24 * hourMs ? 24 : ms < 168 * hourMs ? 7 : 4) {
      const part = overlap(one.gap, { from: now - ms, to });
      if (part) slices.push({ age: ms, open: { ...one, gap: { ...one.gap, ...part } } });
      to = now - ms;
    }
  }
  return slices.sort((a, b) => a.age - b.age).map((slice) => slice.open);
}

import { ChimeError } from "../../../core/errors.ts";
import { identifier, queryJson, type Series } from "../influxql.ts";
import { isUp } from "../setup.ts";
import { isMixed, type Measurement } from "./schema.ts";
import type { Pair, Side } from "./sides.ts";
import { overlap, within, type Range } from "./time.ts";
import { inTurn, type Care } from "./pace.ts";

/** How many values each has fewer of than the other one: at least so many are missing. */
export interface Missing {
  mine: number;
  other: number;
}

/** A window in which the counts differ, or both have something. */
export interface Window extends Range {
  /** Of all fields, on the side that has more of each: how many points that is they do not tell, for a point may have one field or all. */
  values: number;
  missing: Missing;
  /** One of them has nothing here. */
  oneSided: boolean;
}

/** Values by column, by the window's begin. */
type Counted = Map<number, Map<string, number>>;

/** Windows of the server's that reach over an end of its time begin at 0: nearer to the ends it is asked without them. */
const safe: Range = { from: -9_223_200_000_000, to: 9_223_200_000_000 };

/**
 * How many values both have, by windows that begin at multiples of `stepMs`, oldest first. Windows where neither has any
 * are left out. One list for each measurement.
 * @throws ChimeError `influxdb.*`
 */
export async function countWindows(
  pair: Pair,
  measurements: readonly Measurement[],
  range: Range,
  stepMs: number,
  limits: Care,
): Promise<Window[][]> {
  const found: Window[][] = measurements.map(() => []);
  const edges = [
    { from: range.from, to: Math.min(range.to, safe.from) },
    { from: Math.max(range.from, safe.to), to: range.to },
  ].filter(({ from, to }) => from < to);
  for (const edge of edges)
    add(found, (await countOnce(pair, measurements, edge, undefined, limits)).windows);
  const rest = overlap(range, safe);
  if (rest) await countSlices(found, pair, measurements, { range: rest, stepMs, limits });
  return found.map((windows) => whole(windows, stepMs));
}

/** What a server does not count in time is asked for in parts of so many: those in which there is nothing take it a ms each. */
const parts = 16;
/** A server that does not count so little in time is given up, ms. */
const leastMs = 60_000;
/**
 * Behind a time in which there is nothing may be more than clients can stand to be counted at once: it is tried for so long, ms,
 * or twice as long as the last count that had to be. That is what series take by themselves [tried: 0.9 s with 100,000 of them].
 */
const triedMs = 250;
const upMs = 5_000;

async function countSlices(
  found: Window[][],
  pair: Pair,
  measurements: readonly Measurement[],
  { range, stepMs, limits }: { range: Range; stepMs: number; limits: Care },
): Promise<void> {
  const { pace } = limits;
  // Of which it is known that it is not too much.
  let most = Number.POSITIVE_INFINITY;
  // Where there is nothing a server is not held up by more of it.
  let stretch = 1;
  let lastMs = 0;
  for (let rest: Range | undefined = range; rest;) {
    const allowed = pace ? Math.max(stepMs, pace.size("counting")) : Number.POSITIVE_INFINITY;
    const slice: Range = { from: rest.from, to: sliceEnd(rest, stepMs, Math.min(most, allowed) * stretch) };
    const isTried = pace !== undefined && stretch > 1;
    const enoughMs = isTried ? Math.max(triedMs, 2 * lastMs) : Number.POSITIVE_INFINITY;
    const timeoutMs = Math.min(enoughMs, limits.timeoutMs);
    try {
      const { windows, tookMs } = await countOnce(pair, measurements, slice, stepMs, {
        ...limits,
        timeoutMs,
      });
      add(found, windows);
      const isEmpty = windows.every((some) => some.length === 0);
      stretch = isEmpty ? stretch * 2 : 1;
      if (!isEmpty && tookMs < limits.timeoutMs / 4) most *= 2;
      if (!isTried) lastMs = tookMs;
      rest = overlap(rest, { from: slice.to, to: rest.to });
    } catch (error) {
      if (!(error instanceof ChimeError) || error.code !== "influxdb.timeout") throw error;
      if (isTried) stretch = Math.max(1, stretch / parts);
      else {
        const lengthMs = slice.to - slice.from;
        if (lengthMs <= leastMs || !(await areUp(pair, limits))) throw error;
        most = Math.max(lengthMs / parts, lengthMs > stepMs ? stepMs : leastMs);
        stretch = 1;
      }
    }
  }
}

/** Up to where to count at once: between two windows, or within one that is longer. */
function sliceEnd({ from, to }: Range, stepMs: number, ms: number): number {
  const begin = Math.floor(from / stepMs) * stepMs;
  const end =
    ms < stepMs ? Math.min(from + Math.ceil(ms), begin + stepMs) : begin + Math.floor(ms / stepMs) * stepMs;
  return Math.min(to, end);
}

/** One that hangs would be asked for less and less, each time until it is late. */
async function areUp({ mine, other }: Pair, limits: Care): Promise<boolean> {
  const up = [mine, other].map(({ server }) => isUp(server, { ...limits, timeoutMs: upMs }));
  return (await Promise.all(up)).every(Boolean);
}

/** Those that were counted in parts, oldest first. */
function whole(windows: readonly Window[], stepMs: number): Window[] {
  const all: Window[] = [];
  for (const next of windows.toSorted((a, b) => a.from - b.from)) {
    const last = all.at(-1);
    const isPart = last && Math.floor(last.from / stepMs) === Math.floor(next.from / stepMs);
    if (isPart) all.splice(-1, 1, joinWindows(last, next));
    else all.push(next);
  }
  return all;
}

/** Two windows and what is between them, in which there is nothing. Pure. */
export function joinWindows(a: Window, b: Window): Window {
  return {
    from: a.from,
    to: b.to,
    values: a.values + b.values,
    missing: { mine: a.missing.mine + b.missing.mine, other: a.missing.other + b.missing.other },
    oneSided: a.oneSided && b.oneSided,
  };
}

function add(to: Window[][], more: readonly Window[][]): void {
  more.forEach((windows, i) => to[i]?.push(...windows));
}

async function countOnce(
  { mine, other }: Pair,
  measurements: readonly Measurement[],
  range: Range,
  stepMs: number | undefined,
  limits: Care,
): Promise<{ windows: Window[][]; tookMs: number }> {
  const statements = measurements.map((measurement) => statementFor(measurement, range, stepMs));
  const halt = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, halt.signal]) : halt.signal;
  const care = { ...limits, signal };
  // Of a server that is empty nothing is learnt of one that is not.
  const size = (counts: Counted[]) => (counts.some((some) => some.size > 0) ? range.to - range.from : 0);
  let tookMs = 0;
  const work = async (side: Side) => {
    const start = performance.now();
    const counts = await counted(side, statements, range, care);
    tookMs = Math.max(tookMs, performance.now() - start);
    return counts;
  };
  const count = (side: Side) => inTurn(care, "counting", size, () => work(side));
  const [ofMine, ofOther] = await Promise.all([count(mine), count(other)]).catch((error: unknown) => {
    // What the other one still counts is of no use.
    halt.abort();
    throw error;
  });
  const windows = measurements.map((_, i) => {
    const [a, b]: [Counted, Counted] = [ofMine[i] ?? new Map(), ofOther[i] ?? new Map()];
    return [...new Set([...a.keys(), ...b.keys()])].map((start) => {
      const whole = stepMs === undefined ? range : { from: start, to: start + stepMs };
      return { ...(overlap(whole, range) ?? range), ...compared(a.get(start), b.get(start)) };
    });
  });
  return { windows, tookMs };
}

/** Pure. */
function compared(
  mine: ReadonlyMap<string, number> = new Map(),
  other: ReadonlyMap<string, number> = new Map(),
) {
  const missing: Missing = { mine: 0, other: 0 };
  let values = 0;
  for (const column of new Set([...mine.keys(), ...other.keys()])) {
    const [a, b] = [mine.get(column) ?? 0, other.get(column) ?? 0];
    values += Math.max(a, b);
    if (a < b) missing.mine += b - a;
    else missing.other += a - b;
  }
  return { values, missing, oneSided: mine.size === 0 || other.size === 0 };
}

function statementFor(measurement: Measurement, range: Range, stepMs: number | undefined): string {
  const groups = stepMs === undefined ? "" : ` GROUP BY time(${stepMs}ms) fill(none)`;
  return `SELECT ${terms(measurement)} FROM ${identifier(measurement.name)} WHERE ${within(range)}${groups}`;
}

/** A field with two types is counted as each: else the server counts what has the one that it prefers. */
function terms(measurement: Measurement): string {
  if (!isMixed(measurement)) return "count(*::field)";
  const { mine, other } = measurement;
  const kinds = new Set<string>();
  for (const types of [mine, other]) {
    for (const [field, all] of types) {
      // Numbers of all kinds are counted as those of one.
      for (const type of all) kinds.add(`${identifier(field)}::${isNumber.has(type) ? "float" : type}`);
    }
  }
  return [...kinds]
    .sort()
    .map((kind, i) => `count(${kind}) AS "${i}"`)
    .join(", ");
}

const isNumber = new Set(["float", "integer", "unsigned"]);

async function counted(
  { server, database }: Side,
  statements: readonly string[],
  range: Range,
  limits: Care,
): Promise<Counted[]> {
  const answers = await queryJson(server, database, statements, limits);
  return answers.map(([table]) => toCounts(table, range));
}

function toCounts(table: Series | undefined, { from }: Range): Counted {
  const counts: Counted = new Map();
  const [, ...columns] = table?.columns ?? [];
  for (const [time, ...values] of (table?.values ?? []) as (number | null)[][]) {
    const row = columns
      .map((column, i) => [column, values[i] ?? 0] as const)
      .filter(([, count]) => count > 0);
    // Of a statement without windows the time says nothing.
    if (row.length > 0) counts.set(time ?? from, new Map(row));
  }
  return counts;
}

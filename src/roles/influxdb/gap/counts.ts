import { identifier, queryJson, type Series } from "../influxql.ts";
import { isMixed, type Measurement } from "./schema.ts";
import type { Pair, Side } from "./sides.ts";
import { overlap, weekMs, within, type Range } from "./time.ts";
import { inTurn, type Care } from "./pace.ts";

/** How many values each has fewer of than the other one: at least so many are missing. */
export interface Missing {
  mine: number;
  other: number;
}

/** A window in which the counts differ, or both have something. */
export interface Window extends Range {
  /** Points, about: as many as the field has that most of them have, on the side that has more of it. */
  points: number;
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
  for (const edge of edges) add(found, await countOnce(pair, measurements, edge, undefined, limits));
  // Where there is nothing a server is not held up by more of it.
  let stretch = 1;
  for (let rest = overlap(range, safe); rest;) {
    const slice: Range = { from: rest.from, to: sliceEnd(rest, stepMs, stretch, limits) };
    const counts = await countOnce(pair, measurements, slice, stepMs, limits);
    add(found, counts);
    stretch = counts.every((windows) => windows.length === 0) ? stretch * 2 : 1;
    rest = overlap(rest, { from: slice.to, to: rest.to });
  }
  return found.map((windows) => windows.sort((a, b) => a.from - b.from));
}

/** When points are, as a rule, and how much of that is counted at once behind a time in which there are none: half a year. */
const usual: Range = { from: 0, to: Date.UTC(2100, 0) };
const mostStretchedMs = 26 * weekMs;

/** Up to where to count at once: between two windows, as far as the pace allows, or `stretch` times as far. */
function sliceEnd({ from, to }: Range, stepMs: number, stretch: number, { pace }: Care): number {
  if (!pace) return to;
  const at = (windows: number) => (Math.floor(from / stepMs) + windows) * stepMs;
  const windows = Math.max(1, Math.floor(pace.size("counting") / stepMs));
  const isUsual = from >= usual.from && from < usual.to;
  const most = isUsual ? Math.max(windows, Math.floor(mostStretchedMs / stepMs)) : Infinity;
  const end = Math.min(to, at(Math.min(windows * stretch, most)));
  return from < usual.from ? Math.min(end, usual.from) : end;
}

/** Two windows and what is between them, in which there is nothing. Pure. */
export function joinWindows(a: Window, b: Window): Window {
  return {
    from: a.from,
    to: b.to,
    points: a.points + b.points,
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
): Promise<Window[][]> {
  const statements = measurements.map((measurement) => statementFor(measurement, range, stepMs));
  const count = (side: Side) =>
    inTurn(limits, "counting", range.to - range.from, () => counted(side, statements, range, limits));
  const [ofMine, ofOther] = await Promise.all([count(mine), count(other)]);
  return measurements.map((_, i) => {
    const [a, b]: [Counted, Counted] = [ofMine[i] ?? new Map(), ofOther[i] ?? new Map()];
    return [...new Set([...a.keys(), ...b.keys()])].map((start) => {
      const whole = stepMs === undefined ? range : { from: start, to: start + stepMs };
      return { ...(overlap(whole, range) ?? range), ...compared(a.get(start), b.get(start)) };
    });
  });
}

/** Pure. */
function compared(
  mine: ReadonlyMap<string, number> = new Map(),
  other: ReadonlyMap<string, number> = new Map(),
) {
  const missing: Missing = { mine: 0, other: 0 };
  let points = 0;
  for (const column of new Set([...mine.keys(), ...other.keys()])) {
    const [a, b] = [mine.get(column) ?? 0, other.get(column) ?? 0];
    points = Math.max(points, a, b);
    if (a < b) missing.mine += b - a;
    else missing.other += a - b;
  }
  return { points, missing, oneSided: mine.size === 0 || other.size === 0 };
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

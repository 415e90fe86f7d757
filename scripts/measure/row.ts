import { percentiles } from "../../src/operations/drill/histogram.ts";

/** One line of the table. */
export interface Row {
  name: string;
  /** Every single measurement, in the order taken. */
  values: number[];
  unit:
    | "s"
    | "ms"
    | "rows"
    | "changes"
    | "objects"
    | "reads"
    | "PUTs"
    | "moments"
    | "drills"
    | "failovers"
    | "pauses"
    | "commits/s"
    | "points"
    | "points/s"
    | "deaths"
    | "KB/s"
    | "MB"
    | "%"
    | "×";
  /** What the value must not exceed; null: there is no promise, it is told. */
  target: number | null;
  /** The value must not be below the target instead. */
  atLeast?: true;
  /** Default: the median. Counts are summed; a limit that always holds looks at the worst. */
  by?: "median" | "worst" | "sum";
  /** How the single values are told: from the least to the greatest, or by rank. */
  spread?: "range" | "percentiles";
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return Number.NaN;
  if (sorted.length % 2 === 1) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

function value(row: Row): number {
  if (row.by === "worst") return Math.max(...row.values);
  if (row.by === "sum") return row.values.reduce((sum, value) => sum + value, 0);
  return median(row.values);
}

function reached(row: Row): boolean | null {
  if (row.target === null) return null;
  return row.atLeast ? value(row) >= row.target : value(row) <= row.target;
}

/** The form of `--json`. */
export function report(rows: readonly Row[]) {
  return {
    rows: rows.map((row) => ({
      name: row.name,
      by: row.by ?? "median",
      value: round(value(row)),
      unit: row.unit,
      target: row.target,
      bound: row.atLeast ? ("least" as const) : ("most" as const),
      reached: reached(row),
      values: row.values.map(round),
    })),
  };
}

/** A table for people: value, how far from the target, and the spread. */
export function text(rows: readonly Row[]): string {
  const cells = report(rows).rows.map((row, i) => [
    row.name,
    `${row.value} ${row.unit}`,
    row.target === null ? "" : `${row.bound === "least" ? "≥" : "≤"} ${round(row.target)} ${row.unit}`,
    row.reached === null ? "" : row.reached ? "reached" : missedBy(row.value, row.target ?? 0, row.unit),
    row.values.length > 1 ? `${row.by} of ${row.values.length}: ${spread(rows[i]?.spread, row.values)}` : "",
  ]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(...cells.map((line) => line[i]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function missedBy(value: number, target: number, unit: string): string {
  return `missed by ${round(Math.abs(value - target))} ${unit}`;
}

function spread(how: Row["spread"], values: readonly number[]): string {
  if (how !== "percentiles") return `${Math.min(...values)} … ${Math.max(...values)}`;
  const { p50, p95, p99, max } = percentiles(values);
  return `p50 ${p50}, p95 ${p95}, p99 ${p99}, max ${max}`;
}

function round(value: number): number {
  return Number(value.toPrecision(value >= 1000 ? 6 : 3));
}

/** One line of the table. */
export interface Row {
  name: string;
  /** Every single measurement, in the order taken. */
  values: number[];
  unit: "s" | "ms" | "rows" | "changes" | "moments" | "failovers" | "pauses" | "MB" | "%" | "×";
  /** What the value must not exceed; null: there is no promise, it is told. */
  target: number | null;
  /** Default: the median. Counts are summed; a limit that always holds looks at the worst. */
  by?: "median" | "worst" | "sum";
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

/** The form of `--json`. */
export function report(rows: readonly Row[]) {
  return {
    rows: rows.map((row) => ({
      name: row.name,
      by: row.by ?? "median",
      value: round(value(row)),
      unit: row.unit,
      target: row.target,
      reached: row.target === null ? null : value(row) <= row.target,
      values: row.values.map(round),
    })),
  };
}

/** A table for people: value, how far from the target, and the spread. */
export function text(rows: readonly Row[]): string {
  const cells = report(rows).rows.map((row) => [
    row.name,
    `${row.value} ${row.unit}`,
    row.target === null ? "" : `≤ ${round(row.target)} ${row.unit}`,
    verdict(row),
    row.values.length > 1
      ? `${row.by} of ${row.values.length}: ${Math.min(...row.values)} … ${Math.max(...row.values)}`
      : "",
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

function verdict({ value, unit, target }: { value: number; unit: string; target: number | null }): string {
  if (target === null) return "";
  return value <= target ? "reached" : `missed by ${round(value - target)} ${unit}`;
}

function round(value: number): number {
  return Number(value.toPrecision(value >= 1000 ? 6 : 3));
}

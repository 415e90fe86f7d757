/** Upper edges of the bars in ms; the numbers to reach are among them. */
const edges = [100, 200, 300, 500, 1_000, 1_500, 3_000, 10_000];

/** What a set of outages comes to, ms. */
export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/** By nearest rank: each is a value that was measured. @throws RangeError for none */
export function percentiles(values: readonly number[]): Percentiles {
  if (values.length === 0) throw new RangeError("there is nothing to rank");
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (percent: number) =>
    sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1] as number;
  return { p50: rank(50), p95: rank(95), p99: rank(99), max: rank(100) };
}

/** A bar for each range that an outage can fall into, as text; ranges beyond the ends are left out. */
export function histogram(values: readonly number[]): string {
  const ranges = [...edges, Number.POSITIVE_INFINITY].map((to, i) => {
    const from = edges[i - 1] ?? 0;
    return { from, to, count: values.filter((ms) => ms >= from && ms < to).length };
  });
  const first = ranges.findIndex(({ count }) => count > 0);
  const last = ranges.findLastIndex(({ count }) => count > 0);
  return ranges
    .slice(Math.max(0, first), last + 1)
    .map(({ from, to, count }) => {
      const label =
        to === Number.POSITIVE_INFINITY ? `≥ ${seconds(from)} s` : `${seconds(from)}–${seconds(to)} s`;
      return `  ${label.padStart(11)}  ${"█".repeat(Math.min(count, 60))}${count > 0 ? ` ${count}` : ""}`;
    })
    .join("\n");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

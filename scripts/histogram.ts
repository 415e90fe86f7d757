/** Upper edges of the bars in ms; the numbers to reach are among them. */
const edges = [200, 400, 600, 1_000, 1_400, 3_000];

/** A bar for each range that an outage can fall into, as text. */
export function histogram(values: readonly number[]): string {
  const ranges = [...edges, Number.POSITIVE_INFINITY].map((to, i) => ({ from: edges[i - 1] ?? 0, to }));
  return ranges
    .map(({ from, to }) => {
      const count = values.filter((ms) => ms >= from && ms < to).length;
      const label =
        to === Number.POSITIVE_INFINITY ? `≥ ${seconds(from)} s` : `${seconds(from)}–${seconds(to)} s`;
      return `  ${label.padStart(9)}  ${"█".repeat(count)}${count > 0 ? ` ${count}` : ""}`;
    })
    .join("\n");
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(1);
}

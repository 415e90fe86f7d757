import * as v from "valibot";

const short = v.pipe(v.string(), v.maxLength(64));

/** One turn in the cluster's life, as `chime-node history --json` prints it. */
export const eventSchema = v.object({
  /** Wall clock of that node, ISO 8601 in UTC. */
  at: v.pipe(v.string(), v.isoTimestamp()),
  node: short,
  role: v.nullable(short),
  kind: short,
  message: v.pipe(v.string(), v.maxLength(500)),
  seconds: v.nullable(v.number()),
  steps: v.pipe(v.array(v.object({ do: short, ms: v.number() })), v.maxLength(30)),
});
export type HistoryEvent = v.InferOutput<typeof eventSchema>;

/** Oldest first. Clocks of two nodes may differ: of one node the order is that of its own events. */
export function byTime(events: readonly HistoryEvent[]): HistoryEvent[] {
  return [...events].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

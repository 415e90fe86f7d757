import * as v from "valibot";

/** What the history tells apart. Newer members may send others: readers take any short word. */
export type EventKind =
  | "promotion"
  | "demotion"
  | "switchover"
  | "failover"
  | "quarantine"
  | "maintenance"
  | "join"
  | "leave"
  | "remove"
  | "drill";

/** What somebody reports; the history adds when and where. */
export interface Happening {
  kind: EventKind;
  /** One sentence for people. */
  message: string;
  /** Null: it concerns the node, not one of its roles. */
  role?: string | null;
  /** How long the whole took. */
  seconds?: number | null;
  /** What was done, in order, ms each. */
  steps?: { do: string; ms: number }[];
}

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

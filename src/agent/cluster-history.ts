import * as v from "valibot";
import type { Membership } from "../cluster/types.ts";
import { byTime, eventSchema, type HistoryEvent } from "./event.ts";
import type { History } from "./history.ts";

/** `chime-node history --json`. */
export interface ClusterHistory {
  /** Oldest first. */
  events: HistoryEvent[];
  /** Members whose own events are missing here, because they did not answer. */
  silent: string[];
}

/** So many of each node are told: they fit into one frame with much to spare. */
const told = 200;
const askMs = 3_000;

const answer = v.object({ events: v.pipe(v.array(eventSchema), v.maxLength(told)) });

/** What this node tells another one: `Membership.call(peer, "history", {})`. */
export function ownHistory(history: History): { events: readonly HistoryEvent[] } {
  return { events: history.events.slice(-told) };
}

/** Everything that the members remember, merged by time. */
export async function clusterHistory(
  membership: Pick<Membership, "self" | "members" | "call">,
  history: History,
): Promise<ClusterHistory> {
  const silent: string[] = [];
  const others = membership.members().filter((m) => !m.left && m.name !== membership.self.name);
  const theirs = await Promise.all(
    others.map(async ({ name }) => {
      try {
        const { events } = v.parse(answer, await membership.call(name, "history", {}, askMs));
        // A node speaks for itself alone.
        return events.filter((event) => event.node === name);
      } catch {
        silent.push(name);
        return [];
      }
    }),
  );
  return { events: byTime([...ownHistory(history).events, ...theirs.flat()]), silent: silent.sort() };
}

/** What a node publishes of its history, for everybody's status: its newest turns, and each role's last promotion. */
export function newest(events: readonly HistoryEvent[]): HistoryEvent[] {
  const recent = events.slice(-published);
  const promotions = new Map(events.filter(isPromotion).map((event) => [event.role, event]));
  const older = [...promotions.values()].filter((event) => !recent.includes(event));
  return [...older, ...recent].map((event) => (isPromotion(event) ? event : { ...event, steps: [] }));
}

const published = 3;

export function isPromotion(event: Pick<HistoryEvent, "kind">): boolean {
  return event.kind === "promotion";
}

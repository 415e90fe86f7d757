import * as v from "valibot";
import type { Member } from "../../cluster/types.ts";
import { termSchema } from "../../cluster/vote/term.ts";
import { roleName } from "./layout.ts";

const name = v.pipe(v.string(), v.maxLength(64));

/**
 * What a node's guard publishes of itself (`Member.roleState.mysql`): enough for the peer to decide by and for any
 * member to tell the status. Changes rarely; no counters.
 */
const publishedSchema = v.object({
  term: v.nullable(termSchema),
  state: v.picklist([
    /** Accepts writes. */
    "writer",
    /** Read-only: replicates, or waits for what to do. */
    "replica",
    /** Its server is not there, or does not answer. */
    "down",
    /** It holds transactions that the writer does not have. */
    "quarantined",
    /** Its applier stopped with an error. */
    "broken",
  ]),
  /** The server answers as this member's replica source; null: it receives from nobody. */
  follows: v.nullable(name),
  /** Names the run of its server. */
  life: v.nullable(name),
  /** May take over at once: in sync, and sure of it since its server started. */
  able: v.boolean(),
  /** Was asked not to take over (planned work): not able for that reason, whatever it holds. */
  stands_down: v.optional(v.boolean(), false),
  semi_sync: v.boolean(),
  /** Writer: no commit is acknowledged without the replica. */
  protected: v.boolean(),
  /** The gateway answers, so that its vote can be had; null: not known yet, or not asked. */
  gateway: v.optional(v.nullable(v.boolean()), null),
  /** Why its gateway's vote would not count, where the term rests on it; null: it would, or nothing rests on it. */
  out: v.optional(v.nullable(v.object({ at: name, since: v.pipe(v.string(), v.maxLength(200)) })), null),
  /** Seconds, rounded up to 0, 1, 2, 5, 10, 30, 60, 300, 3600. */
  lag: v.nullable(v.number()),
  /** Quarantined: the transactions. Broken or unable to connect: the server's words. */
  detail: v.nullable(v.pipe(v.string(), v.maxLength(400))),
});
export type Published = v.InferOutput<typeof publishedSchema>;

/** What a member last said of itself; null where it said nothing, or nothing that we understand. */
export function publishedBy(member: Pick<Member, "roleState">): Published | null {
  const parsed = v.safeParse(publishedSchema, member.roleState[roleName]);
  return parsed.success ? parsed.output : null;
}

const lags = [0, 1, 2, 5, 10, 30, 60, 300, 3600];

/** So that a lag that creeps does not publish a new record every second. */
export function roundLag(seconds: number | null): number | null {
  return seconds === null ? null : (lags.find((step) => seconds <= step) ?? 3600);
}

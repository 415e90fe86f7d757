import * as v from "valibot";
import type { Member } from "../../cluster/types.ts";
import { roleName } from "./layout.ts";

const text = v.pipe(v.string(), v.maxLength(400));
const moment = v.pipe(v.string(), v.isoTimestamp(), v.maxLength(40));

/**
 * What a node's guard publishes of itself (`Member.roleState.influxdb`): enough for its twin to decide by and for any
 * member to tell the status. Changes rarely; no counters.
 */
const publishedSchema = v.object({
  /** `serving`: its server takes points and gives them back. */
  state: v.picklist(["serving", "waiting", "down"]),
  /** Its server is one of the twins: set up by us, with the other's metadata where there was another one. */
  joined: v.boolean(),
  /** Its server speaks TLS: what it does, and not what it should. */
  tls: v.optional(v.boolean(), false),
  /** Clients read from its server: the VIP is on its node. */
  read: v.optional(v.boolean(), false),
  /** The VIP may be on its node: its server has what it needs, and nobody works there. */
  eligible: v.optional(v.boolean(), false),
  /** What it may lack; null: nothing. */
  gap: v.nullable(
    v.object({
      since: moment,
      /** Its server was not there for so long, s: clients could not write to it. Rounded. */
      away: v.pipe(v.number(), v.minValue(0)),
      /** The same without what single buckets lack that are held up. An agent that does not tell it: as `away`. */
      overall: v.exactOptional(v.pipe(v.number(), v.minValue(0))),
      /** How much of it was compared and filled, 0 to 1, in twentieths. */
      done: v.pipe(v.number(), v.minValue(0), v.maxValue(1)),
      /** Why that does not go on. */
      trouble: v.nullable(text),
      /** What helps. */
      remedy: v.optional(v.nullable(text), null),
      /** It is being compared and filled now. */
      busy: v.boolean(),
    }),
  ),
  /** Points that have a time before this are still to be compared since the last outage, in whole weeks; null: all are. */
  uncompared_before: v.optional(v.nullable(moment), null),
  /** SHA-256 of the operator's own program. */
  binary: v.nullable(v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/))),
  /** Why it waits or is down, one line. */
  detail: v.nullable(text),
  /** What helps, where more is known than that it does not serve. */
  remedy: v.optional(v.nullable(text), null),
});
export type Published = v.InferOutput<typeof publishedSchema>;

/** What a member last said of itself; null where it said nothing, or nothing that we understand. */
export function publishedBy(member: Pick<Member, "roleState">): Published | null {
  const parsed = v.safeParse(publishedSchema, member.roleState[roleName]);
  return parsed.success ? parsed.output : null;
}

import * as v from "valibot";
import type { MemberView } from "../cluster/types.ts";
import { eventSchema, type HistoryEvent } from "./event.ts";
import type { Problem } from "../roles/guard.ts";
import type { VipState } from "../vip/fifo.ts";

/**
 * What every agent publishes of itself beside its guards' states, under this key of `Member.roleState`.
 * It lets any node tell the whole cluster's status without asking around.
 */
export const reportKey = "agent";

export interface AgentReport {
  /**
   * By role: what keepalived says, whether the address is really on this node's interface, and the addresses of the
   * nodes whose adverts its keepalived hears.
   */
  vips: Record<string, { state: VipState; holds: boolean; peers: string[] }>;
  problems: Problem[];
  /** Its newest turns, and each role's last promotion. */
  events: HistoryEvent[];
  /** Since when it is in maintenance, ISO 8601. */
  maintenance: string | null;
}

const short = v.pipe(v.string(), v.maxLength(1000));
const schema = v.object({
  vips: v.record(
    short,
    v.object({
      state: v.picklist(["MASTER", "BACKUP", "FAULT", "UNKNOWN"]),
      holds: v.boolean(),
      peers: v.pipe(v.array(short), v.maxLength(50)),
    }),
  ),
  problems: v.pipe(
    v.array(
      v.object({
        code: short,
        severity: v.picklist(["error", "warning"]),
        node: short,
        message: short,
        remedy: short,
      }),
    ),
    v.maxLength(50),
  ),
  // An older member sends none.
  events: v.optional(v.pipe(v.array(eventSchema), v.maxLength(20)), []),
  maintenance: v.optional(v.nullable(short), null),
});

/** A peer's report, or an empty one where it sent none that we understand. */
export function reportOf(member: Pick<MemberView, "roleState">): AgentReport {
  const parsed = v.safeParse(schema, member.roleState[reportKey]);
  return parsed.success ? parsed.output : { vips: {}, problems: [], events: [], maintenance: null };
}

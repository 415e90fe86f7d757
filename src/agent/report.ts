import * as v from "valibot";
import type { MemberView } from "../cluster/types.ts";
import { changeId, type SecretState } from "../cluster/secret-store.ts";
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
  /** Which values it has of the secrets that can be changed, by `role.name`; null: it cannot change any. */
  secrets: Record<string, SecretState> | null;
}

const short = v.pipe(v.string(), v.maxLength(1000));
const beside = v.optional(v.object({ old: v.nullable(changeId), retired: v.nullable(changeId) }));
// An older member knows of no change.
const secrets = v.optional(
  v.nullable(
    v.record(short, v.object({ current: changeId, next: v.nullable(changeId), used: changeId, beside })),
  ),
  null,
);
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
  secrets,
});
const secretsSchema = v.object({ secrets });

/** A peer's report, or an empty one where it sent none that we understand. */
export function reportOf(member: Pick<MemberView, "roleState">): AgentReport {
  const parsed = v.safeParse(schema, member.roleState[reportKey]);
  if (parsed.success) return parsed.output;
  return { vips: {}, problems: [], events: [], maintenance: null, secrets: null };
}

/** Of a peer's report only how far it is with its secrets, which is asked each second. */
export function secretsOf(member: Pick<MemberView, "roleState">): AgentReport["secrets"] {
  const parsed = v.safeParse(secretsSchema, member.roleState[reportKey]);
  return parsed.success ? parsed.output.secrets : null;
}

import type { Member, MemberView, RoleName } from "../cluster/types.ts";
import { heardOthers } from "../roles/of-role.ts";
import { reportOf } from "./report.ts";

/**
 * Nodes that would have a role's VIP within a second if it left this one: they are heard, nobody works on them, and their
 * keepalived runs, stands by, and knows this node. One whose gate is closed, or that was stopped, says FAULT. Pure.
 */
export function heirsOf(
  self: Pick<Member, "name" | "address">,
  members: readonly MemberView[],
  role: RoleName,
): string[] {
  return heardOthers(role, self, members)
    .filter((member) => {
      const { vips, maintenance } = reportOf(member);
      const vip = vips[role];
      return maintenance === null && vip?.state === "BACKUP" && vip.peers.includes(self.address);
    })
    .map(({ name }) => name);
}

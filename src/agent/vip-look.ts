import type { MemberView, RoleName } from "../cluster/types.ts";
import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { announceArp } from "../host/arp.ts";
import { product } from "../host/catalog.ts";
import type { Role, RoleContext } from "../roles/types.ts";
import { evict } from "../vip/holder.ts";
import { vipInterface } from "../vip/instances.ts";
import { readPeers } from "../vip/keepalived.ts";
import type { AgentReport } from "./report.ts";
import { deafPeers, type Leftovers } from "./rivals.ts";
import type { Vips } from "./vips.ts";

/** What this node tells of its VIPs. Takes back those that stay although they must not. */
export async function lookAtVips(input: {
  context: RoleContext;
  members: readonly MemberView[];
  roles: readonly Role[];
  vips: Vips;
  leftovers: Leftovers;
}): Promise<Pick<AgentReport, "vips" | "problems">> {
  const { context, members, roles, vips, leftovers } = input;
  const { self } = context;
  const report: Pick<AgentReport, "vips" | "problems"> = { vips: {}, problems: [] };
  for (const { role, address } of vipsHere(context, roles)) {
    const [holds, peers] = await Promise.all([vips.holds(address), readPeers(role)]);
    report.vips[role] = { state: vips.state(role), holds, peers };
    if (leftovers.isDue(role, holds && !vips.isEligible(role))) await evictHere(context, roles, role);
    const deaf = vips.isWaiting(role) ? deafPeers(self, members, role) : [];
    for (const peer of deaf) {
      report.problems.push({
        code: "vip.peer_deaf",
        severity: "warning",
        node: self.name,
        message: `${self.name} cannot take the VIP of ${role} yet: keepalived on ${peer} does not know it`,
        remedy: `end the chime-node run that is at work on ${peer}, or run chime-node apply there`,
      });
    }
  }
  return report;
}

/** Takes a role's VIP away from this node's keepalived, which hangs. */
export async function evictHere(context: RoleContext, roles: readonly Role[], role: RoleName): Promise<void> {
  const { facts, spec } = context;
  const vip = vipsHere(context, roles).find((candidate) => candidate.role === role);
  const carrier = vip && vipInterface(facts, vip.address, spec.cluster.interface);
  if (!vip || carrier === undefined) return;
  log.warn(`keepalived does not give up the VIP of ${role}: it is taken away, and keepalived killed`);
  await evict(vip.address, carrier, product("keepalived", facts.os).unit);
}

/**
 * In ms after a node has won. keepalived repeats its own only after 5 s, and not at all where it never lost the VIP; the
 * loser of a cut answers until it is killed, or until its receiver has stopped: some seconds on a busy machine.
 */
const announcements = [0, 100, 300, 600, 1_000, 2_000, 4_000, 8_000];

/** Tells the neighbours that a role's VIP is here, as long as `isHere` holds: who won a term takes it at once. */
export async function claimHere(
  context: RoleContext,
  roles: readonly Role[],
  role: RoleName,
  isHere: () => boolean,
): Promise<void> {
  const vip = vipsHere(context, roles).find((candidate) => candidate.role === role);
  const carrier = vip && vipInterface(context.facts, vip.address, context.spec.cluster.interface);
  if (!vip || carrier === undefined) return;
  const [address = ""] = vip.address.split("/");
  for (const [i, at] of announcements.entries()) {
    await systemClock.sleep(at - (announcements[i - 1] ?? 0));
    if (!isHere()) return;
    announceArp(address, carrier);
  }
}

function vipsHere(context: RoleContext, roles: readonly Role[]): { role: RoleName; address: string }[] {
  return roles
    .filter((role) => context.self.roles.includes(role.name))
    .flatMap((role) => {
      const vip = role.vip(context);
      return vip ? [{ role: role.name, address: vip.address }] : [];
    });
}

import type { MemberView } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import { roles } from "../roles/index.ts";
import type { Role, RoleContext } from "../roles/types.ts";
import { haproxy } from "../vip/balancer/haproxy.ts";
import type { BackendView, BalancedService } from "../vip/balancer/types.ts";
import type { Neighbour } from "./vanished.ts";

export function rolesHere({ self }: Pick<RoleContext, "self">): Role[] {
  return roles.filter((role) => self.roles.includes(role.name));
}

/** What is balanced on this node. */
function servicesHere(context: RoleContext): BalancedService[] {
  return rolesHere(context).flatMap((role) => role.balanced?.(context) ?? []);
}

/** What this node's balancer thinks of its backends now; nothing where it has none, or does not answer. */
export async function lookAtBackends(context: RoleContext): Promise<readonly BackendView[]> {
  if (servicesHere(context).length === 0) return [];
  try {
    return await haproxy.view();
  } catch (error) {
    log.warn("balancer:", error);
    return [];
  }
}

/**
 * The other nodes' servers of what is balanced here (asked by this node's, if not by its balancer), with what is heard of
 * their nodes.
 */
export function neighbours(context: RoleContext, members: readonly MemberView[]): Neighbour[] {
  return rolesHere(context).flatMap((role) => {
    const ports = new Set(
      role.balanced?.(context).flatMap(({ backends }) => backends.map(({ port }) => port)),
    );
    const others = role.vip(context)?.nodes.filter(({ name }) => name !== context.self.name) ?? [];
    return others.flatMap(({ name, address }) => {
      const state = members.find((member) => member.name === name)?.state;
      return state ? [...ports].map((port) => ({ node: name, address, port, state })) : [];
    });
  });
}

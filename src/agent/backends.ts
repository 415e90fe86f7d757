import { log } from "../core/log.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext } from "../roles/types.ts";
import { haproxy } from "../vip/balancer/haproxy.ts";
import type { BackendView } from "../vip/balancer/types.ts";

/** What this node's balancer thinks of its backends now; nothing where it has none, or does not answer. */
export async function lookAtBackends(context: RoleContext): Promise<readonly BackendView[]> {
  const mine = roles.filter((role) => context.self.roles.includes(role.name));
  if (mine.every((role) => (role.balanced?.(context) ?? []).length === 0)) return [];
  try {
    return await haproxy.view();
  } catch (error) {
    log.warn("balancer:", error);
    return [];
  }
}

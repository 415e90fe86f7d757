import { agentPort } from "../core/paths.ts";
import type { Phase, RoleName } from "../cluster/types.ts";
import { hosts } from "../resources/hosts.ts";
import { port } from "../resources/port.ts";
import type { Resource } from "../resources/types.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext, RolePlan } from "../roles/types.ts";
import { isGuarded } from "../roles/of-role.ts";
import { haproxy } from "../vip/balancer/haproxy.ts";
import { vipResources } from "../vip/resources.ts";

/**
 * Everything that this node is to be for the given roles, by the phase it completes: the roles' own resources,
 * their VIPs and balancers, the members' names, the agent's port. Pure.
 */
export function desired(context: RoleContext, names: readonly RoleName[] = context.self.roles): RolePlan {
  const mine = roles.filter((role) => names.includes(role.name));
  const { self } = context;
  // keepalived and the balancer have one file for all: those that serve here already stay in it.
  const beside = roles.filter(
    ({ name }) => names.includes(name) || (self.roles.includes(name) && isGuarded(self.phase[name])),
  );
  const requests = beside.flatMap((role) => role.vip(context) ?? []);
  const vip = requests.length > 0 ? vipResources({ context, requests }) : { installed: [], configured: [] };
  const services = beside.flatMap((role) => role.balanced?.(context) ?? []);
  const balancer =
    services.length > 0 ? haproxy.resources({ context, services }) : { installed: [], configured: [] };
  const plans = mine.map((role) => role.plan(context));
  return {
    installed: shared([...plans.flatMap((plan) => plan.installed), ...vip.installed, ...balancer.installed]),
    configured: shared([
      ...node(context),
      ...plans.flatMap((plan) => plan.configured),
      ...vip.configured,
      ...balancer.configured,
    ]),
    ready: plans.flatMap((plan) => plan.ready),
  };
}

/** What two of them ask for in the same words (a kernel parameter, a package) is there once. */
function shared(resources: readonly Resource[]): Resource[] {
  const first = new Map<string, Resource>();
  return resources.filter((resource) => {
    const twin = first.get(resource.id);
    first.set(resource.id, twin ?? resource);
    return twin?.desired !== resource.desired;
  });
}

/** What every member has, whatever its roles. */
function node({ members, spec }: RoleContext): Resource[] {
  return [
    hosts({
      name: "members",
      entries: members.map((member) => ({
        address: member.address,
        names: [`${member.name}.${spec.cluster.domain}`, member.name],
      })),
    }),
    port({ port: agentPort, protocol: "tcp" }),
    port({ port: agentPort, protocol: "udp" }),
  ];
}

/** The resources of all phases up to `phase`, in one list (a later phase's needs may lie in an earlier one). */
export function upTo(plan: RolePlan, phase: Exclude<Phase, "joined">): Resource[] {
  const steps = ["installed", "configured", "ready"] as const;
  return steps.slice(0, steps.indexOf(phase) + 1).flatMap((step) => plan[step]);
}

/**
 * What the agent keeps in shape, up to `phase`: of a role whose service does not do its part yet, as a store that waits for
 * its other nodes, nothing that the service is asked for. Pure.
 * @param serves whether the service of a role that is not ready yet does
 */
export function keptInShape(
  context: RoleContext,
  phase: "configured" | "ready",
  serves: (role: RoleName) => boolean,
): Resource[] {
  const { roles: own, phase: reached } = context.self;
  const guarded = own.filter((role) => isGuarded(reached[role]));
  const configured = upTo(desired(context, guarded), "configured");
  if (phase === "configured") return configured;
  const asked = guarded.filter((role) => reached[role] === "ready" || serves(role));
  return [...configured, ...desired(context, asked).ready];
}

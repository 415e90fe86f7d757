import { upTo } from "../agent/desired.ts";
import { agentResources } from "../agent/resources.ts";
import type { Phase } from "../cluster/types.ts";
import type { Resource } from "../resources/types.ts";
import type { RolePlan } from "../roles/types.ts";

/** Everything that this node is to be up to a phase, the agent included. */
export function nodeResources(roles: RolePlan, phase: Exclude<Phase, "joined"> = "ready"): Resource[] {
  return [...agentResources(), ...upTo(roles, phase)];
}

import { phases, type Member } from "../../cluster/types.ts";
import type { RoleContext } from "../types.ts";
import { minioSpec, nodes, roleName } from "./layout.ts";

/**
 * Whom this node waits for before it is configured: a store starts with all its nodes or not at all, and each has to know
 * the addresses of all. Undefined: nobody; the stores of a mirror start each for itself, and a node that was ready once starts
 * with those that are left, where another one left the cluster. Pure.
 */
export function awaitsNodes(context: RoleContext): string | undefined {
  const { topology, nodes: wanted } = minioSpec(context);
  if (topology === "mirror" || context.self.phase[roleName] === "ready") return undefined;
  const there = nodes(context.members);
  if (there.length < wanted) {
    const missing = wanted - there.length;
    const more = missing === 1 ? "one more node" : `${missing} more nodes`;
    return `waiting for ${more} (roles.minio.nodes is ${wanted}): chime-node join --role minio --disk … there`;
  }
  const late = there.filter((node) => !isInstalled(node)).map(({ name }) => name);
  return late.length === 0 ? undefined : `waiting for ${late.join(" and ")} to be installed`;
}

/** Whether none of its nodes has ever been ready: until then no application has an account. Pure. */
export function isForming(members: readonly Member[]): boolean {
  return nodes(members).every(({ phase }) => phase[roleName] !== "ready");
}

function isInstalled({ phase }: Member): boolean {
  return phases.indexOf(phase[roleName] ?? "joined") >= phases.indexOf("installed");
}

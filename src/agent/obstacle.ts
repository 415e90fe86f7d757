import { isPair, isStore, type PairStatus, type StoreStatus, type TwinStatus } from "../roles/types.ts";
import type { Status } from "./status.ts";

/** What a drill may do to a service that serves. Each of it ends by itself. */
export const faults = ["kill", "disk-pulled", "disk-full", "hang"] as const;
export type Fault = (typeof faults)[number];

/** Why the fault would be an outage now; undefined: the others go on. Pure. */
export function obstacle(
  { roles, problems }: Pick<Status, "roles" | "problems">,
  role: string,
  fault: Fault = "kill",
): string | undefined {
  const found = roles[role];
  if (!found) return `no node serves ${role}`;
  const problem = problems.find(({ severity, code }) => severity === "error" || code === "maintenance");
  if (problem) return problem.message;
  if (isPair(found)) return ofPair(found);
  if (!isStore(found)) return ofTwins(found, fault);
  return problems.find(({ code }) => code === `${role}.completing`)?.message ?? ofStore(found, fault);
}

function ofTwins({ nodes }: TwinStatus, fault: Fault): string | undefined {
  if (fault === "disk-pulled") return "twins have no disk that can be taken away from under them";
  const well = nodes.filter(({ state, complete }) => state === "serving" && complete);
  return well.length > 1 ? undefined : "not both servers have everything";
}

function ofPair({ writable, nodes }: PairStatus): string | undefined {
  if (writable.length !== 1) return `${writable.join(" and ") || "no node"} writes`;
  if (!nodes.some((node) => node.state === "writer" && node.protected)) {
    return "commits are on one node only";
  }
  return nodes.some((node) => node.state === "replica" && node.replicating)
    ? undefined
    : "no node replicates";
}

function ofStore({ topology, nodes, drives, quorum }: StoreStatus, fault: Fault): string | undefined {
  const { total, online, healing } = drives;
  if (online < total) return `${online} of ${total} drives are online`;
  if (healing > 0) return `${healing} of ${total} drives are being filled`;
  // Each of them holds everything, and the other one takes over.
  if (topology === "mirror" && nodes.length > 1) return undefined;
  const lost = fault === "kill" ? Math.max(...nodes.map((node) => node.drives.total)) : 1;
  if (total - lost >= quorum.write) return undefined;
  return `it has ${total - lost} of ${total} drives then, and a write needs ${quorum.write}`;
}

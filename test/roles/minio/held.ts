import type { Serving } from "../../../src/roles/minio/guard/held-restart.ts";
import type { Balancer, BackendView } from "../../../src/vip/balancer/types.ts";
import type { RoleContext } from "../../../src/roles/types.ts";

/** This node's server while nothing is wrong. */
export const servesWell: Serving = { writes: true, attached: true, lacksDrives: false };

/** A balancer that finds one server, for reads and writes. */
const findsOne = ["read", "write"].map((route): BackendView => ({
  service: "minio",
  route,
  node: "node1",
  up: true,
  rising: false,
  sessions: 0,
}));

/** Tells what it is asked to do, and finds what it is given. */
export function toldBalancer(
  tell: (what: string) => void,
  view: BackendView[] = findsOne,
): Pick<Balancer, "hold" | "release" | "view"> {
  return {
    hold: async () => tell("hold"),
    release: async () => tell("release"),
    view: async () => view,
  };
}

/** The members of a store; what others are asked is told. */
export function toldMembership(tell: (what: string) => void, context: () => RoleContext) {
  return {
    self: context().self,
    members: () => context().members,
    call: async (node: string, method: string) => tell(`${node} ${method}`),
  };
}

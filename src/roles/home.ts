import type { Member, RoleName } from "../cluster/types.ts";
import type { Problem } from "./guard.ts";
import { nodesOf } from "./of-role.ts";
import type { RoleContext } from "./types.ts";

/** Roles with an address, in the order in which nodes are dealt out to them. That of a database stays with its writer. */
const dealt = ["mysql", "minio", "influxdb"] as const;
type Dealt = (typeof dealt)[number];

/**
 * The node on which a role's address belongs where several may have it: the one that `roles.X.prefer` names, else each role on
 * the same nodes has another one, the database the first. Undefined where none of that says anything: it stays where it is.
 * Pure.
 */
export function homeOf(
  role: Exclude<Dealt, "mysql">,
  { spec, members }: Pick<RoleContext, "spec" | "members">,
): string | undefined {
  const nodes = nodesOf(role, members);
  const wanted = nodes.find(({ name }) => name === spec.roles[role]?.prefer);
  if (wanted) return wanted.name;
  const earlier = dealt.slice(0, dealt.indexOf(role)).filter((other) => shares(other, nodes, members));
  if (earlier.length === 0 || nodes.length < 2) return undefined;
  return nodes[earlier.length % nodes.length]?.name;
}

/**
 * `roles.X.prefer` names none of the role's nodes: it says nothing then. Before all of them have joined the one may still come.
 * Pure.
 * @param most how many nodes the role has when it has all
 */
export function homeProblems(
  role: RoleName,
  { spec, members }: Pick<RoleContext, "spec" | "members">,
  most: number,
): Problem[] {
  const prefer = role === "minio" || role === "influxdb" ? spec.roles[role]?.prefer : undefined;
  const names = nodesOf(role, members).map(({ name }) => name);
  if (prefer === undefined || names.length < most || names.includes(prefer)) return [];
  return [
    {
      code: "vip.prefer",
      severity: "warning",
      node: names.join(", "),
      message: `roles.${role}.prefer is ${prefer}, which is no node of ${role}: it is as if it were not set`,
      remedy: `name ${names.join(" or ")} in /etc/chime-node/cluster.toml, or nobody; then chime-node apply`,
    },
  ];
}

function shares(role: RoleName, nodes: readonly Member[], members: readonly Member[]): boolean {
  const others = nodesOf(role, members);
  return others.length === nodes.length && others.every(({ name }, nth) => name === nodes[nth]?.name);
}

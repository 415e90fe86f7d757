import { phases, type Member, type MemberView, type Phase, type RoleName } from "../cluster/types.ts";
import type { Spec } from "../spec/types.ts";

/** What cluster.toml says of a role that a member has. @throws Error where it says nothing: nobody may have it then */
export function specOf<R extends keyof Spec["roles"]>(
  role: R,
  { spec }: { spec: Spec },
): NonNullable<Spec["roles"][R]> {
  const found = spec.roles[role];
  if (!found) throw new Error(`a member has the role ${role}, which cluster.toml does not configure`);
  return found;
}

/** The members with a role, by rising index. */
export function nodesOf<T extends Pick<Member, "roles" | "index">>(
  role: RoleName,
  members: readonly T[],
): T[] {
  return members.filter((member) => member.roles.includes(role)).sort((a, b) => a.index - b.index);
}

/** The other nodes with a role whose agents are heard, by rising index. */
export function heardOthers(
  role: RoleName,
  self: Pick<Member, "name">,
  members: readonly MemberView[],
): MemberView[] {
  return nodesOf(role, members).filter(({ name, state }) => name !== self.name && state === "alive");
}

/** True once the role's service runs on a node: from then on somebody has to watch it. */
export function isGuarded(phase: Phase | undefined): boolean {
  return phase !== undefined && phases.indexOf(phase) >= phases.indexOf("configured");
}

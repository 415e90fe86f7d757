import type { RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext } from "../roles/types.ts";

/**
 * How applications connect to a role; empty where there is nothing to connect to.
 * @throws ChimeError `secrets.not_here` (exit 3) on a witness, which holds no passwords
 */
export function connectionTo(context: RoleContext, name: RoleName): Record<string, unknown> {
  const role = roles.find((candidate) => candidate.name === name);
  if (!role) return {};
  if (role.secretNames.length > 0 && context.secrets[name] === undefined) {
    const holders = context.members.filter((member) => member.roles.includes(name));
    throw refused(
      "secrets.not_here",
      `${context.self.name} is a witness, which holds no passwords`,
      `run the same command on ${holders.map((holder) => holder.name).join(" or ") || "another member"}`,
    );
  }
  return role.connection(context);
}

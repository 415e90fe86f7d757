import type { RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import { roles } from "../roles/index.ts";
import type { RoleContext } from "../roles/types.ts";
import { unconfiguredRole } from "./role-names.ts";

/**
 * How applications connect to a role; empty where there is nothing to connect to.
 * @throws ChimeError `secrets.not_here` (exit 3) on a witness, which holds no passwords; `secrets.no_role` (exit 3)
 */
export function connectionTo(context: RoleContext, name: RoleName): Record<string, unknown> {
  const role = roles.find((candidate) => candidate.name === name);
  if (!role) return {};
  if (unconfiguredRole([name], context.spec) !== undefined) {
    const served = Object.entries(context.spec.roles).flatMap(([other, spec]) => (spec ? [other] : []));
    throw refused(
      "secrets.no_role",
      `${context.cluster.name} has no ${name}: there is no [roles.${name}] in its cluster.toml`,
      served.length === 0 ? "chime-node join --help" : `--role with ${served.join(" or ")}`,
    );
  }
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

/** A line for each field. What this node does not know says where to ask. */
export function connectionText(connection: Record<string, unknown>, name: RoleName): string {
  const elsewhere = `not known here: run this on a node that is ready for ${name}`;
  const lines = Object.entries(connection).map(([key, value]) => {
    const shown: unknown = value ?? elsewhere;
    return `${key}: ${[shown].flat().join(", ")}`;
  });
  return lines.join("\n") || `${name} has nothing that applications connect to`;
}

import type { Member } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import type { Spec } from "../spec/types.ts";

/** Keys of a role by which its data are laid out: other values are for other servers, with nothing in them. */
const fixed = ["engine", "topology"] as const;

/**
 * What an edit must leave as it is: apply puts nothing in the place of what holds the data. Pure.
 * @param now what is in effect, and the cluster's name, which identity, data and words of proof carry
 * @throws ChimeError `spec.fixed` (exit 3)
 */
export function requireChangeable(
  now: { spec: Spec; cluster: { name: string }; members: readonly Pick<Member, "name" | "roles">[] },
  next: Spec,
): void {
  const { spec, cluster, members } = now;
  if (next.cluster.name !== cluster.name)
    throw fixedKey("cluster.name", cluster.name, "its members' identity says so");
  for (const [role, present] of Object.entries(spec.roles)) {
    const holders = members.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
    if (holders.length === 0) continue;
    const who = holders.join(" and ");
    const wanted = next.roles[role as keyof Spec["roles"]];
    if (!wanted) {
      throw refused("spec.fixed", `[roles.${role}] is gone, and ${who} serves ${role} by it`, {
        remedy: `put it back; to give the role up: chime-node reset on ${who}`,
      });
    }
    for (const key of fixed) {
      if (wanted[key] !== present[key])
        throw fixedKey(`roles.${role}.${key}`, present[key], `${who} has data of it`);
    }
  }
}

function fixedKey(key: string, value: string, why: string) {
  return refused("spec.fixed", `${key} is ${value} and stays so: ${why}`, {
    remedy: `put ${key.split(".").at(-1)} = "${value}" back; another one is another cluster, made with chime-node init`,
  });
}

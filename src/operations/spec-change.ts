import type { Member } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";
import type { Spec } from "../spec/types.ts";

type Roles = Spec["roles"];

/** Keys of a role by which its data are laid out: other values are for other servers, with nothing in them. */
const fixed: { [R in keyof Roles]-?: Partial<Record<keyof NonNullable<Roles[R]>, string>> } = {
  mysql: { engine: "engine", topology: "topology" },
  minio: {
    engine: "engine",
    topology: "topology",
    nodes: "nodes",
    disksPerNode: "disks_per_node",
    tls: "tls",
  },
  // What clients know it by, and where its points are.
  influxdb: { org: "org", bucket: "bucket" },
};

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
  for (const role of Object.keys(spec.roles) as (keyof Roles)[]) {
    const holders = members.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
    if (holders.length === 0) continue;
    const who = holders.join(" and ");
    const [wanted, present] = [next.roles[role], spec.roles[role]].map(
      (found) => found as Record<string, unknown> | undefined,
    );
    if (!wanted) {
      throw refused("spec.fixed", `[roles.${role}] is gone, and ${role} is served by it on ${who}`, {
        remedy: `put it back; to give the role up: chime-node reset on ${who}`,
      });
    }
    for (const [key, written] of Object.entries(fixed[role])) {
      const value = present?.[key];
      if (wanted[key] !== value)
        throw fixedKey(`roles.${role}.${written}`, value, `there are data of it on ${who}`);
    }
  }
}

function fixedKey(key: string, value: unknown, why: string) {
  return refused("spec.fixed", `${key} is ${String(value)} and stays so: ${why}`, {
    remedy: `put ${key.split(".").at(-1)} = ${JSON.stringify(value)} back; another one is another cluster, made with chime-node init`,
  });
}

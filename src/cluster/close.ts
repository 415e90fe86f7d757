import { isWitness } from "./admission.ts";
import type { RoleName } from "./types.ts";

/** What a member has to say of itself for that. */
interface Node {
  index: number;
  roles: readonly RoleName[];
}

/**
 * Members without a role that its nodes keep a connection to: one of them is its third voter, and another takes over
 * where that one is gone. More would cost each of them five beats a second of every role's nodes, for nothing.
 */
const bystanders = 5;

/**
 * Who beats to whom, five times a second over a kept connection, so that a failover does not wait for gossip: the nodes
 * of one role, and they and its first bystanders. Everybody else is heard of by gossip. Pure, and the same seen from
 * both sides. @param members all that have not left
 */
export function closeTo(self: number, members: readonly Node[]): Set<number> {
  const sorted = members.toSorted((a, b) => a.index - b.index);
  const roles = new Set(sorted.flatMap((member) => member.roles).filter((role) => !isWitness([role])));
  const close = new Set<number>();
  for (const role of roles) {
    const nodes = sorted.filter((member) => member.roles.includes(role));
    const others = sorted.filter((member) => !member.roles.includes(role)).slice(0, bystanders);
    const isNode = nodes.some(({ index }) => index === self);
    if (!isNode && !others.some(({ index }) => index === self)) continue;
    for (const { index } of isNode ? [...nodes, ...others] : nodes) close.add(index);
  }
  close.delete(self);
  return close;
}

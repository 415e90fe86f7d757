import type { Membership, RoleName } from "../cluster/types.ts";
import { refused } from "../core/errors.ts";

/**
 * A role's nodes trust each other; a member without the role, such as a witness, may have been stolen and has no word.
 * @throws ChimeError `peer.stranger`
 */
export function requirePart(membership: Pick<Membership, "members">, from: string, role: RoleName): void {
  const asker = membership.members().find(({ name }) => name === from);
  if (!asker?.roles.includes(role)) throw refused("peer.stranger", `${from} has no part in ${role}`);
}

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterMembership } from "../cluster/membership.ts";
import type { RoleName } from "../cluster/types.ts";
import { MemoryFile } from "../cluster/vote/memory.ts";
import { Voter } from "../cluster/vote/voter.ts";
import type { Role } from "../roles/types.ts";

/**
 * This member's votes, by role: of every role with a guard, also those that it does not have itself. They answer
 * other members from now on, method `vote.<role>.<method>`.
 * @throws where what a voter remembers is damaged: a forgotten vote could make two writers
 */
export async function openVoters(
  membership: ClusterMembership,
  roles: readonly Role[],
  directory: string,
): Promise<ReadonlyMap<RoleName, Voter>> {
  const voters = new Map<RoleName, Voter>();
  for (const role of roles) {
    if (!("guard" in role)) continue;
    const { name } = role;
    const own = join(directory, name);
    await mkdir(own, { recursive: true, mode: 0o700 });
    const voter = new Voter(name, membership, new MemoryFile(own));
    await voter.load();
    membership.handle(`vote.${name}`, (params, from, method) => voter.handle(method, params, from));
    voters.set(name, voter);
  }
  return voters;
}

/**
 * Whether all that voters remember can be read. To be asked before anything is said to the network: a node that is heard
 * for a moment at each failing start would take from its peer the certainty that it is gone.
 * @throws as `openVoters`
 */
export async function checkVoters(roles: readonly Role[], directory: string): Promise<void> {
  for (const { name } of roles) await new MemoryFile(join(directory, name)).load();
}

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterMembership } from "../cluster/membership.ts";
import type { RoleName } from "../cluster/types.ts";
import { MemoryFile, type Memory } from "../cluster/vote/memory.ts";
import { Voter } from "../cluster/vote/voter.ts";
import type { Role } from "../roles/types.ts";

/** What this member remembers of its votes for one role, and where. */
interface Remembered {
  directory: string;
  memory: Memory;
}

/**
 * What this member remembers of its votes, by role: of every role with a guard, also those that it does not have itself.
 * To be read before anything is said to the network: a node that is heard for a moment at each failing start would take
 * from its peer the certainty that it is gone.
 * @throws where it is damaged: a forgotten vote could make two writers
 */
export async function readVotes(
  roles: readonly Role[],
  directory: string,
): Promise<ReadonlyMap<RoleName, Remembered>> {
  const votes = new Map<RoleName, Remembered>();
  for (const role of roles) {
    if (!("guard" in role)) continue;
    const own = join(directory, role.name);
    votes.set(role.name, { directory: own, memory: await new MemoryFile(own).load() });
  }
  return votes;
}

/** This member's voters: they answer other members from now on, method `vote.<role>.<method>`. */
export async function openVoters(
  membership: ClusterMembership,
  votes: ReadonlyMap<RoleName, Remembered>,
): Promise<ReadonlyMap<RoleName, Voter>> {
  const voters = new Map<RoleName, Voter>();
  for (const [name, { directory, memory }] of votes) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const voter = new Voter(name, membership, new MemoryFile(directory), memory);
    membership.handle(`vote.${name}`, (params, from, method) => voter.handle(method, params, from));
    voters.set(name, voter);
  }
  return voters;
}

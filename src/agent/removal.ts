import type { Membership, RoleName } from "../cluster/types.ts";
import type { Term } from "../cluster/vote/term.ts";
import type { Voter } from "../cluster/vote/voter.ts";

const readMs = 1_000;

/** Who is meant by an operator's word. */
export interface Removable {
  index: number;
  name: string;
  address: string;
  /** It shares its name or address with another one. */
  isContested: boolean;
}

/**
 * The roles for which `node` may hold what clients were told of and no other member has: by the newest record that
 * answers it is in sync, so it may write, or have written last.
 */
export async function mayHoldAlone(
  membership: Pick<Membership, "self" | "members">,
  voters: ReadonlyMap<RoleName, Voter>,
  node: string,
): Promise<RoleName[]> {
  const others = membership
    .members()
    .filter(({ name, left, state }) => name !== membership.self.name && !left && state === "alive")
    .map(({ name }) => name);
  const roles = [...voters].map(async ([role, voter]) => {
    const answers = await Promise.all(
      others.map((name) => voter.call(name, "read", {}, readMs).catch(() => ({ held: null }))),
    );
    const records = [voter.memory.term, ...answers.map(({ held }) => held)];
    const newest = records.reduce<Term | null>(
      (best, term) => (term && term.term > (best?.term ?? 0) ? term : best),
      null,
    );
    return newest?.in_sync.includes(node) === true ? [role] : [];
  });
  return (await Promise.all(roles)).flat();
}

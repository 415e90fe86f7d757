import type { RoleName } from "../types.ts";
import type { Term } from "./term.ts";

/** What signatures of terms are for. */
export const termPurpose = "chime-term-1";

/**
 * What the writer of a term signs when it asks for it, with the cluster's id beside. So no other member can make one up: a
 * voter that was stolen can repeat what a node really asked for, and nothing else.
 */
export function signedFields(role: RoleName, term: Term): readonly unknown[] {
  const { writer, in_sync, voters, old_voters, overruled = [], tie } = term;
  return [role, term.term, writer, in_sync, voters, old_voters, overruled, tie];
}

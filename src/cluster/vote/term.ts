import * as v from "valibot";
import { base64 } from "../schema.ts";

const name = v.pipe(v.string(), v.maxLength(64));
/** With room above it for all that will ever be granted, by votes and by words (word.ts). */
const largestTerm = 2 ** 52;

/**
 * Who may write: the durable record of a single-writer role (design.md §4). A higher term wins. Every change is a new
 * term, on the disks of those who granted it before it takes effect.
 */
export const termSchema = v.object({
  // Above the safe integers the next one is no greater any more, and no term could ever follow.
  term: v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(largestTerm)),
  writer: name,
  /** The nodes that hold every acknowledged transaction. Only they may become the writer. */
  in_sync: v.pipe(v.array(name), v.minLength(1), v.maxLength(2)),
  /** Whose majority grants the next term: the role's nodes and one third member, if there is one. */
  voters: v.pipe(v.array(name), v.minLength(1), v.maxLength(3)),
  /**
   * While voters change, those before the change: both majorities are needed until the change is known to be granted
   * (joint consensus, Raft §6). Otherwise empty.
   */
  old_voters: v.pipe(v.array(name), v.maxLength(3)),
  /**
   * Nodes that an operator's word (`failover --accept-loss`) left behind, each until it is in sync again. They may hold
   * rows that clients were told of and the writer lacks: what they alone have is never cut off.
   */
  overruled: v.exactOptional(v.pipe(v.array(name), v.minLength(1), v.maxLength(2))),
  /**
   * Where two voters are all there are and one falls silent, who may go on: `gateway`, either of them by the vote of its
   * gateway; `replica`, never the writer, which without its replica acknowledges nothing; `changing`, between the two:
   * the replica by its gateway's vote. Agreed upon beforehand, so that they never go by rules that let both go on.
   */
  tie: v.optional(v.picklist(["replica", "changing", "gateway"]), "replica"),
  /** The writer's, over all of the above (proof.ts); absent where an older version passed it on. */
  signature: v.exactOptional(base64),
});
export type Term = v.InferOutput<typeof termSchema>;

/**
 * Whether `a` replaces `b`. Of two records of one term, of which with three voters neither can have been granted and
 * which without a third only a cut makes, the writer with the lower index wins, on both sides.
 */
export function replaces(a: Term, b: Term | null, indexOf: (node: string) => number): boolean {
  if (b === null || a.term !== b.term) return a.term > (b?.term ?? 0);
  return indexOf(a.writer) < indexOf(b.writer);
}

/** Whatever their signatures: the same is signed in another way each time. */
export function isSameTerm(a: Term | null, b: Term | null): boolean {
  if (a === null || b === null) return a === b;
  return Bun.deepEquals({ ...a, signature: undefined }, { ...b, signature: undefined });
}

/** Everybody whose vote can count for it. */
export function electorate({ voters, old_voters }: Pick<Term, "voters" | "old_voters">): string[] {
  return [...new Set([...voters, ...old_voters])];
}

/**
 * Whether the members for which `has` holds are a majority of the voters and, during a change, of the old ones, too.
 * @param isLeft members that left or were removed have no voice any more
 */
export function isMajority(
  { voters, old_voters }: Pick<Term, "voters" | "old_voters">,
  has: (name: string) => boolean,
  isLeft: (name: string) => boolean,
): boolean {
  return [voters, old_voters]
    .map((names) => names.filter((name) => !isLeft(name)))
    .every((names) => names.length === 0 || names.filter(has).length * 2 > names.length);
}

/**
 * Whether two voters are all that the record names: then no majority can outvote a cut between them. Not before both
 * agreed to that: until then a third one that has just left, or the one that was alone, may decide by the old voters.
 */
export function isTied({ voters, old_voters }: Pick<Term, "voters" | "old_voters">): boolean {
  return voters.length === 2 && old_voters.length === 0;
}

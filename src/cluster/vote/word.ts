import { electorate, type Term } from "./term.ts";

/** Far more terms than a side that has not heard of the word can win by votes meanwhile. */
const series = 1_000_000;
const ownSeries = 1_000;

/**
 * The term that an operator's word gives to `writer` where no majority can. Its number lies above all that votes can
 * have given elsewhere, and two nodes never get the same by words. The voters stay: after its next start the writer
 * needs another one's confirmation like any other, because a later word may have named somebody else.
 * @param newest the newest record known
 * @param overruled nodes that may hold what the writer lacks
 * @param isLeft members that left have no vote any more
 */
export function termByWord(
  newest: Term,
  writer: { name: string; index: number },
  overruled: readonly string[],
  isLeft: (name: string) => boolean,
): Term {
  const voters = [writer.name, ...overruled, ...electorate(newest)].filter((name) => !isLeft(name));
  return {
    term: (Math.floor(newest.term / series) + 1) * series + writer.index * ownSeries,
    writer: writer.name,
    in_sync: [writer.name],
    voters: [...new Set(voters)].slice(0, 3),
    old_voters: [],
    tie: newest.tie,
    ...(overruled.length > 0 && { overruled: [...overruled] }),
  };
}

/**
 * Whether the record may be overruled in favour of `name`: it has a vote. Before, those named alone would go on alone when
 * they come back; while voters change, that are the old ones.
 */
export function hasVote({ voters, old_voters }: Term, name: string): boolean {
  return (old_voters.length > 0 ? old_voters : voters).includes(name);
}

import { electorate, isSameTerm, type Term } from "./term.ts";

/**
 * A voter's judgement of a term that is asked for, without clock, network or disk: null is a yes, a text says why not.
 * Each term is granted once; the same again is granted again, because the answer may have been lost.
 * @param held the newest record that this voter holds; null: it is new or has lost its memory, and has no say
 */
export function judge(held: Term | null, asked: Term, asker: string, self: string): string | null {
  if (held === null) return "it holds no record yet";
  if (asked.writer !== asker || !asked.in_sync.includes(asker)) return `${asker} asks for another node`;
  if (isSameTerm(held, asked)) return null;
  if (!electorate(asked).includes(self)) return "it is no voter";
  if (asked.term <= held.term) return `it granted term ${held.term} to ${held.writer}`;
  if (!held.in_sync.includes(asker)) return `${asker} is not in sync in term ${held.term}`;
  return null;
}

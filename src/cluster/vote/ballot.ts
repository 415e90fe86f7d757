import { toChimeError } from "../../core/errors.ts";
import type { Liveness } from "../types.ts";
import { electorate, isMajority, isTied, type Term } from "./term.ts";
import type { Voter } from "./voter.ts";

/** Voters that live answer within some milliseconds, their disk's fsync included. */
const votesMs = 300;

export interface BallotOptions {
  self: string;
  /** A member that is not known has left. */
  liveness: (name: string) => Liveness;
  /** Where two voters are all there are: may this node go on without the other's answer (never against its no)? */
  alone: boolean;
}

export interface Outcome {
  granted: boolean;
  /** Only because the other one of two voters is silent: the asker may have stopped meanwhile, and has to look again. */
  alone: boolean;
  /** A newer record that a voter holds. */
  newer: Term | null;
  /** Who did not grant, and why; one line. */
  missing: string;
}

/**
 * Asks all voters at once for a term, and waits no longer than the result needs. Writes nothing: the asker's own vote
 * counts as given, and has to be on its disk before anything rests on the result.
 */
export async function askVotes(voter: Voter, term: Term, options: BallotOptions): Promise<Outcome> {
  const { self, liveness, alone } = options;
  const isLeft = (name: string) => liveness(name) === "left";
  const mayTie = alone && isTied(term);
  const others = electorate(term).filter((name) => name !== self && !isLeft(name));
  const granted = new Set([self]);
  const missing = new Map<string, string>();
  let newer: Term | null = null;
  const settled = () => isMajority(term, (name) => granted.has(name), isLeft);

  const asked = voter.signed(term);
  await voter.whileAsking(asked, async () => {
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    if (settled()) resolve();
    const answers = others.map(async (name) => {
      // Where its silence does not matter, one that was not heard just now is not waited for.
      if (mayTie && liveness(name) !== "alive") return;
      try {
        const { granted: yes, reason, held } = await voter.call(name, "ask", { term: asked }, votesMs);
        if (yes) granted.add(name);
        else missing.set(name, reason);
        if (held && held.term > (newer?.term ?? voter.memory.term?.term ?? 0)) newer = held;
      } catch (error) {
        missing.set(name, toChimeError(error).code);
      }
      if (settled()) resolve();
    });
    await Promise.race([enough, Promise.all(answers)]);
  });

  const refusals = [...missing].map(([name, reason]) => `${name}: ${reason}`).join("; ");
  const saidNo = [...missing.values()].some((reason) => !isSilence(reason));
  const isAlone = !settled() && mayTie && !saidNo;
  return { granted: settled() || isAlone, alone: isAlone, newer, missing: refusals };
}

/** What `Membership.call` says where no answer came. */
function isSilence(reason: string): boolean {
  return reason === "peer.unreachable" || reason === "peer.timeout";
}

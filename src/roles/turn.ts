import * as v from "valibot";
import type { Clock } from "../core/clock.ts";
import { toChimeError } from "../core/errors.ts";

/** Whoever has the turn restarts its server at once: one that did not has lost it, ms. */
const mineMs = 60_000;
/** The other one's answer is on its way for less, ms. */
const givenMs = 15_000;

/** What the other one is asked by: `guard.ROLE.turn`. */
export const turnMethod = "turn";

/** What is asked with it. `urgent`: the server is restarted whatever the other one lacks, only not beside it. */
export const turnSchema = v.object({ urgent: v.optional(v.boolean(), false) });
export type TurnAsked = v.InferOutput<typeof turnSchema>;

const answerSchema = v.object({ why: v.nullable(v.string()) });
export type TurnAnswer = v.InferOutput<typeof answerSchema>;

/**
 * Why clients cannot be left to the other node alone, as it goes on after its name (`take`); undefined: they can. Pure.
 * @param trouble what it says of itself
 */
export function whyNotTo(
  { alive, hasAll }: { alive: boolean; hasAll: boolean },
  trouble: string | null | undefined,
): string | undefined {
  if (!alive) return ", which is not heard";
  if (hasAll) return undefined;
  return ` to have everything${trouble ? `: ${trouble}` : ""}`;
}

async function answerOf(ask: () => Promise<unknown>): Promise<string | null> {
  return v.parse(answerSchema, await ask()).why;
}

const leftTo = (name: string): string => `waiting for ${name} to restart its server`;

/** Sees to it that one server at a time is restarted on purpose, and only while the other one may have all clients. */
export class Turn {
  readonly #clock: Pick<Clock, "now">;
  readonly #begun: () => void;
  /** So many questions are on their way. */
  #asks = 0;
  /** This node's server runs anew, and has not proven itself yet. */
  #isRestarted = false;
  /** Until when this node has it, and until when it has left it to the other one, on the monotonic clock. */
  #mineUntil = Number.NEGATIVE_INFINITY;
  #givenUntil = Number.NEGATIVE_INFINITY;

  /** @param begun called at the very moment from which on it is this node's turn */
  constructor(clock: Pick<Clock, "now">, begun: () => void = () => undefined) {
    this.#clock = clock;
    this.#begun = begun;
  }

  /** Its server is to be restarted at any moment: nobody is to read from it. */
  get isMine(): boolean {
    return this.#clock.now() < this.#mineUntil;
  }

  /** The other one's server may be restarted at any moment: this node is relied on. */
  get isGiven(): boolean {
    return this.#clock.now() < this.#givenUntil;
  }

  /**
   * Asks the other one for it.
   * @param lacks why this node's clients cannot be left to the other one; undefined: they can, as far as is known here
   * @returns undefined where it is this node's turn; else whom or what it waits for
   */
  async take(
    name: string,
    lacks: string | undefined,
    ask: (asked: TurnAsked) => Promise<unknown>,
  ): Promise<string | undefined> {
    if (this.isMine) return undefined;
    if (this.isGiven) return leftTo(name);
    if (lacks !== undefined) return `waiting for ${name}${lacks}`;
    return this.#ask(
      name,
      () => ask({ urgent: false }),
      (error) => toChimeError(error).message,
    );
  }

  /**
   * The same for a server that has to be restarted whatever the other one lacks: only not beside it. One that does not answer
   * is not waited for.
   */
  async takeUrgently(name: string, ask: (asked: TurnAsked) => Promise<unknown>): Promise<string | undefined> {
    if (this.isMine) return undefined;
    if (this.isGiven) return leftTo(name);
    return this.#ask(
      name,
      () => ask({ urgent: true }),
      () => null,
    );
  }

  /** @param unanswered what follows where no answer comes, as in one */
  async #ask(
    name: string,
    ask: () => Promise<unknown>,
    unanswered: (error: unknown) => string | null,
  ): Promise<string | undefined> {
    this.#asks++;
    try {
      const why = await answerOf(ask).catch(unanswered);
      return this.#answered(name, why);
    } finally {
      this.#asks--;
    }
  }

  /** Meanwhile another question may have got it, or the other one: that has the same answer by now. */
  #answered(name: string, why: string | null): string | undefined {
    if (this.isMine) return undefined;
    if (why !== null) return `waiting for ${name}: ${why}`;
    return this.isGiven ? leftTo(name) : this.#begin();
  }

  #begin(): undefined {
    this.#isRestarted = false;
    this.#mineUntil = this.#clock.now() + mineMs;
    this.#begun();
  }

  /**
   * The other one asks. Of two that ask at the same time the first has it.
   * @param whyNot why this node's server is not to be left alone with the clients
   */
  answer(isFirst: boolean, whyNot: string | undefined): TurnAnswer {
    if (this.isMine || (this.#asks > 0 && isFirst)) return { why: "its own server is restarted first" };
    if (whyNot !== undefined) return { why: whyNot };
    this.#givenUntil = this.#clock.now() + givenMs;
    return { why: null };
  }

  /** The other one cannot use it. */
  withdraw(): void {
    this.#givenUntil = Number.NEGATIVE_INFINITY;
  }

  /** Another run of this node's server is there. Until it is well the other one's is not restarted. */
  restarted(): void {
    this.#isRestarted = true;
  }

  /** A point went in and out. */
  well(): void {
    if (this.#isRestarted) this.end();
  }

  /** The server was restarted, or will not be. */
  end(): void {
    this.#isRestarted = false;
    this.#mineUntil = Number.NEGATIVE_INFINITY;
  }
}

import * as v from "valibot";
import type { Clock } from "../core/clock.ts";
import { toChimeError } from "../core/errors.ts";

/** Whoever has the turn restarts its server at once: one that did not has lost it, ms. */
const mineMs = 60_000;
/** The other one's answer is on its way for less, ms. */
const givenMs = 15_000;

/** What the other one is asked by: `guard.ROLE.turn`. */
export const turnMethod = "turn";

const answerSchema = v.object({ why: v.nullable(v.string()) });
export type TurnAnswer = v.InferOutput<typeof answerSchema>;

/** Sees to it that one server at a time is restarted on purpose, and only while the other one may have all clients. */
export class Turn {
  readonly #clock: Pick<Clock, "now">;
  #asking = false;
  /** Until when this node has it, and until when it has left it to the other one, on the monotonic clock. */
  #mineUntil = Number.NEGATIVE_INFINITY;
  #givenUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
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
    ask: () => Promise<unknown>,
  ): Promise<string | undefined> {
    if (this.isMine) return undefined;
    if (this.isGiven) return `waiting for ${name} to restart its server`;
    if (lacks !== undefined) return `waiting for ${name}${lacks}`;
    this.#asking = true;
    try {
      const { why } = v.parse(answerSchema, await ask());
      if (why !== null) return `waiting for ${name}: ${why}`;
      this.#mineUntil = this.#clock.now() + mineMs;
      return undefined;
    } catch (error) {
      return `waiting for ${name}: ${toChimeError(error).message}`;
    } finally {
      this.#asking = false;
    }
  }

  /**
   * The other one asks. Of two that ask at the same time the first has it.
   * @param whyNot why this node's server is not to be left alone with the clients
   */
  answer(isFirst: boolean, whyNot: string | undefined): TurnAnswer {
    if (this.isMine || (this.#asking && isFirst)) return { why: "its own server is restarted first" };
    if (whyNot !== undefined) return { why: whyNot };
    this.#givenUntil = this.#clock.now() + givenMs;
    return { why: null };
  }

  /** The server was restarted, or will not be. */
  end(): void {
    this.#mineUntil = Number.NEGATIVE_INFINITY;
  }
}

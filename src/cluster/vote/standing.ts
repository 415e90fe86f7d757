/**
 * What the gateway says of this node's own network while the other voter is silent.
 * - `steady`: it has answered ever since the other one was last heard: it is not this node that is cut off
 * - `unsure`: not known yet, a moment later it is
 * - `lost`: it answered when the other one was last heard, and does not now
 * - `back`: it answers, but this node has been out of sight and has not spoken with the other one since
 * - `none`: it did not answer then, and does not now
 */
export type GatewayVote = "steady" | "unsure" | "lost" | "back" | "none";

export interface Sight {
  now: number;
  /** The other voter: when it was last heard, and whether it counts as silent now. */
  heardAt: number;
  isSilent: boolean;
  /** When this agent last found that it had not run for a while; -Infinity: never. */
  pausedAt: number;
}

/** Between two questions while the other voter is heard. */
export const slowMs = 5_000;
/** Who goes on alone does so after 670 ms of silence at the earliest: a break must be known sooner. */
export const breakMs = 300;
/** A gateway that came back may go again: it is counted on after this. */
const settleMs = 2_000;

/**
 * Whether a node whose peer falls silent may count its gateway as a vote. Times are told, on one monotonic clock.
 *
 * A node that was out of sight of both, or did not run, may have missed that the other one went on alone. It stays out
 * until the other one has answered a question that was asked later: a beat alone may have been under way since before.
 * A new process begins out, so that a restart forgets nothing.
 */
export class Standing {
  /** Of the present time without a break; null: it does not answer; undefined: it was never asked. */
  #answersFrom: number | null | undefined;
  #lastAnswer = Number.NEGATIVE_INFINITY;
  #cameBack = false;
  #spokeAt: number | undefined;
  #brokeAt = Number.NEGATIVE_INFINITY;
  #wasSilent = false;

  /** The gateway answered what it was asked at `asked`. */
  answered(asked: number, now: number): void {
    this.#answersFrom ??= asked;
    this.#lastAnswer = now;
  }

  /** The gateway does not answer. */
  missed(): void {
    this.#cameBack = this.#answersFrom !== undefined;
    this.#answersFrom = null;
  }

  get lastAnswer(): number {
    return this.#lastAnswer;
  }

  /** The other voter answered what it was asked at `asked`, and what it knows is on this node's disk. */
  spoke(asked: number): void {
    this.#spokeAt = asked;
  }

  /** It may have been left behind without knowing. */
  get isOut(): boolean {
    return this.#spokeAt === undefined || this.#spokeAt < this.#brokeAt;
  }

  /** The gateway answers and has for a while; null: not known yet. */
  answers(now: number): boolean | null {
    if (this.#answersFrom === undefined) return null;
    return this.#answersFrom !== null && (!this.#cameBack || now - this.#answersFrom >= settleMs);
  }

  look({ now, heardAt, isSilent, pausedAt }: Sight): GatewayVote {
    this.#brokeAt = Math.max(this.#brokeAt, pausedAt);
    // What is heard first after a silence may be older than what the other one did in it.
    const isEnd = this.#wasSilent && !isSilent;
    this.#wasSilent = isSilent;
    const from = this.#answersFrom ?? Number.POSITIVE_INFINITY;
    if (isEnd || (isSilent && from > heardAt)) this.#brokeAt = now;
    if (from === Number.POSITIVE_INFINITY) return this.#lastAnswer >= heardAt - 2 * slowMs ? "lost" : "none";
    if (this.isOut) return "back";
    // Only an answer that came since then tells that it is not both that went.
    return this.#lastAnswer > heardAt && now - this.#lastAnswer < breakMs ? "steady" : "unsure";
  }
}

import type { Pause } from "../types.ts";

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
  /** When this agent last found that it had not run for a while. */
  pause: Pause;
}

/** A node that may have been left behind without knowing. */
export interface Out {
  /** On the monotonic clock. */
  from: number;
  /** What happened then, to be said after "since". */
  since: string;
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
  /** When that was asked: it may have been read long after it came. */
  #lastAsked = Number.NEGATIVE_INFINITY;
  #cameBack = false;
  #spokeAt: number | undefined;
  #brokeAt = Number.NEGATIVE_INFINITY;
  #broke: Out;
  #wasSilent = false;

  /** @param now when the agent started */
  constructor(now: number) {
    this.#broke = { from: now, since: "its agent started" };
  }

  /** The gateway answered what it was asked at `asked`. */
  answered(asked: number, now: number): void {
    this.#answersFrom ??= asked;
    this.#lastAnswer = now;
    this.#lastAsked = asked;
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

  /** null: it is in. */
  get out(): Out | null {
    return this.#spokeAt === undefined || this.#spokeAt < this.#brokeAt ? this.#broke : null;
  }

  /** The gateway answers and has for a while; null: not known yet. */
  answers(now: number): boolean | null {
    if (this.#answersFrom === undefined) return null;
    return this.#answersFrom !== null && (!this.#cameBack || now - this.#answersFrom >= settleMs);
  }

  look({ now, heardAt, isSilent, pause }: Sight): GatewayVote {
    if (pause.at > this.#brokeAt) {
      this.#break(pause.at, `its agent stood still for ${(pause.ms / 1000).toFixed(1)} s`);
    }
    // What is heard first after a silence may be older than what the other one did in it.
    const isEnd = this.#wasSilent && !isSilent;
    this.#wasSilent = isSilent;
    const from = this.#answersFrom ?? Number.POSITIVE_INFINITY;
    if (isSilent && from > heardAt) this.#break(now, "it reached neither the other node nor its gateway");
    else if (isEnd) this.#break(now, "the other node was silent");
    if (from === Number.POSITIVE_INFINITY) return this.#lastAnswer >= heardAt - 2 * slowMs ? "lost" : "none";
    if (this.out) return "back";
    // Only an answer to what was asked since then tells that it is not both that went.
    return this.#lastAsked > heardAt && now - this.#lastAsked < breakMs ? "steady" : "unsure";
  }

  #break(at: number, since: string): void {
    // What came first is told.
    if (!this.out) this.#broke = { from: at, since };
    this.#brokeAt = at;
  }
}

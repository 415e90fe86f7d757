import type { Clock } from "../../../core/clock.ts";

/**
 * How much of a server's time may be taken from its clients. A batch that took t ms is followed by a pause of a multiple of
 * t: the multiple rises at once when batches of the same size take longer than they did at best, for then clients wait,
 * too, and falls slowly.
 */
const least = 2;
const most = 50;
/** Longer by so much than at best is taken for load. */
const slower = 1.5;
const rise = 1.5;
const fall = 0.95;
/** The best is forgotten by and by: it may have been that of an empty server. */
const forget = 1.01;

export class Pace {
  readonly #clock: Clock;
  #bestMsPerLine = Number.POSITIVE_INFINITY;
  #multiple = least;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long to leave the server alone after so many lines that took it so long; ms. Pure but for what it has seen. */
  pauseAfter(lines: number, tookMs: number): number {
    const msPerLine = tookMs / Math.max(lines, 1);
    this.#bestMsPerLine = Math.min(msPerLine, this.#bestMsPerLine * forget);
    const isSlow = msPerLine > this.#bestMsPerLine * slower;
    this.#multiple = Math.min(most, Math.max(least, this.#multiple * (isSlow ? rise : fall)));
    return tookMs * this.#multiple;
  }

  async rest(lines: number, tookMs: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#clock.sleep(this.pauseAfter(lines, tookMs), signal);
  }
}

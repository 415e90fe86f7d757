import type { Clock } from "../../../core/clock.ts";
import type { Limits } from "../../http.ts";

interface PieceOptions {
  least: number;
  most: number;
  /** It is made so large that it takes about as long, ms. */
  aimMs: number;
}

/**
 * How much is asked for at once. Never less than the least: a query costs a server as much for each series as for thousands of
 * points [tried: with 500 series a count of 1 s takes as long as one of 100 s], so that smaller ones would only be more of them.
 */
class Piece {
  readonly #options: PieceOptions;
  #size: number;

  constructor(options: PieceOptions) {
    this.#options = options;
    this.#size = options.least;
  }

  get size(): number {
    return Math.round(this.#size);
  }

  took(size: number, ms: number): void {
    // What is not there was not asked for: there may be anything beside it.
    if (size === 0) return;
    const { least, most, aimMs } = this.#options;
    const factor = Math.min(2, Math.max(0.5, aimMs / Math.max(ms, 0.1)));
    // One that was small for want of more says nothing of larger ones.
    if (factor > 1 && size < this.#size / 2) return;
    this.#size = Math.min(most, Math.max(least, Math.min(size, this.#size) * factor));
  }
}

/**
 * Values in one answer. Of points that it was given of late a server copies all that it has in memory for each query, whatever
 * that asks for [tried: 50 ms with 300,000 points of five fields, and 28 ms for each 40,000 values]: few queries for much are
 * less work than many for little. A window is not parted below that where clients are to be left alone.
 */
export const mostAtPace = 40_000;

/** Values in one answer, points in one batch, ms of time in which values are counted. */
export type Kind = "reading" | "writing" | "counting";
/** Known before, or once it is answered. */
type Size<T> = number | ((answer: T) => number);

/** A pause is so many times as long as the piece of work before it. */
const least = 1;
const first = 4;
const most = 16;
/** So much work, ms, is done at the first pace at least: what is missing after a short outage is filled at once. */
const eagerMs = 3_000;
/**
 * One write in a hundred may be slower than the limit: where more are, the pauses grow, and where fewer are they shrink
 * (1.4 × 0.9966^99 = 1).
 */
const rise = 1.4;
const fall = 0.9966;
/** p99 may double: aimed at less, of what the slowest of the last calm writes took, for clients send more at once than we do. */
const limit = 1.6;
const calmWrites = 40;
/** Before anything is asked so many are looked at. */
const firstWrites = 20;
/**
 * After so many values the memory of what was read is given back: by itself the runtime lets it grow further and further. Takes 10
 * to 20 ms, in a pause [tried: an agent that fills a million points had 150 MB, with it 115 to 140].
 */
const mostRead = 40_000;

/**
 * Leaves the servers to their clients: one piece of work at a time, on either of them, each followed by a pause. How long a
 * write of our own takes says what clients feel.
 */
export class Pace {
  readonly #clock: Clock;
  readonly #pieces = {
    reading: new Piece({ least: 20_000, most: mostAtPace, aimMs: 75 }),
    writing: new Piece({ least: 1_000, most: 5_000, aimMs: 25 }),
    counting: new Piece({ least: 600_000, most: 1e13, aimMs: 25 }),
  };
  readonly #calm: number[] = [];
  readonly #isCalm = Promise.withResolvers<void>();
  #isWorking = false;
  #workedAt = Number.NEGATIVE_INFINITY;
  #last: Promise<unknown> = this.#isCalm.promise;
  #multiple = first;
  #workedMs = 0;
  #read = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How much to ask for at once. */
  size(kind: Kind): number {
    return this.#pieces[kind].size;
  }

  /** A pause for each ms of work, ms. */
  get multiple(): number {
    return this.#workedMs < eagerMs ? Math.min(first, this.#multiple) : this.#multiple;
  }

  /** A write of our own that was begun then, on the clock, has just been answered. What was slow in a pause was not our doing. */
  felt(start: number): void {
    const ms = this.#clock.now() - start;
    const isCalm = !this.#isWorking && this.#workedAt < start;
    const isSlow = !isCalm && ms > limit * Math.max(...this.#calm);
    this.#multiple = Math.min(most, Math.max(least, this.#multiple * (isSlow ? rise : fall)));
    if (!isCalm) return;
    this.#calm.push(ms);
    if (this.#calm.length > calmWrites) this.#calm.shift();
    if (this.#calm.length === firstWrites) this.#isCalm.resolve();
  }

  /** Nobody tells what clients feel: it goes on at the pace that it has. */
  unfelt(): void {
    this.#isCalm.resolve();
  }

  /** Does a piece of work alone. @param size of it, in what `kind` is counted in; 0 where there was nothing */
  turn<T>(
    kind: Kind | undefined,
    size: Size<T>,
    work: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    let took = 0;
    const done = this.#last.then(async () => {
      signal?.throwIfAborted();
      const start = this.#clock.now();
      this.#isWorking = true;
      try {
        return await work();
      } finally {
        this.#isWorking = false;
        this.#workedAt = this.#clock.now();
        took = this.#workedAt - start;
        this.#workedMs += took;
      }
    });
    const rest = (answer: T) => {
      const held = typeof size === "number" ? size : size(answer);
      if (kind) this.#pieces[kind].took(held, took);
      if (kind === "reading") this.#giveBack(held);
      return this.#clock.sleep(took * this.multiple, signal);
    };
    this.#last = done.then(rest).catch(() => undefined);
    return done;
  }

  #giveBack(values: number): void {
    this.#read += values;
    if (this.#read < mostRead) return;
    this.#read = 0;
    Bun.gc(true);
  }
}

/** Limits of what is asked of the servers, and at which pace; without one as fast as it goes. */
export interface Care extends Limits {
  pace?: Pace | undefined;
  /** Ends what is being written, too, which `signal` lets be answered: of an agent that ends. */
  abandon?: AbortSignal | undefined;
}

/** Does a piece of work when it is its turn. */
export function inTurn<T>(
  { pace, signal }: Care,
  kind: Kind | undefined,
  size: Size<T>,
  work: () => Promise<T>,
): Promise<T> {
  return pace ? pace.turn(kind, size, work, signal) : work();
}

/** As much later than asked for may a tick come on a busy machine, and the time until it still count. */
const graceMs = 250;

/**
 * The clock that all limits of the engine go by: time in which this agent could have heard something. After a pause
 * (SIGSTOP, a frozen disk, a suspended VM) the others are not dead, we were deaf. Nor does a clock that jumps run down
 * anybody's limit.
 */
export class Listening {
  private readonly clock: () => number;
  private lastTick: number;
  private listened = 0;
  /** Ms after which the next tick was asked for. */
  private promised = 0;

  constructor(clock: () => number) {
    this.clock = clock;
    this.lastTick = clock();
  }

  /** Ms listened so far. */
  now(): number {
    const passed = Math.min(this.clock() - this.lastTick, this.promised + graceMs);
    return this.listened + Math.max(0, passed);
  }

  /** At each tick. @returns ms for which this agent stood still before it; 0: it did not */
  tick(): number {
    const stood = this.clock() - this.lastTick - this.promised - graceMs;
    this.listened = this.now();
    this.lastTick = this.clock();
    return Math.max(0, stood);
  }

  /** The next tick is to come after so many ms. */
  promise(ms: number): void {
    this.promised = ms;
  }
}

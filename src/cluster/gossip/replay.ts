/** Packets of one sender may overtake each other by so many. */
export const replayWidth = 1024;

/** Which counters of one session were seen: a bit each for the newest ones, and none older is taken. */
export class ReplayWindow {
  readonly #bits = new Uint32Array(replayWidth / 32);
  /** The highest that was taken; -1 before the first. */
  #highest = -1;

  /** Whether this one was not seen yet and is not too old to tell. Changes nothing: it may be forged. */
  isNew(counter: number): boolean {
    if (counter > this.#highest) return true;
    return counter > this.#highest - replayWidth && !this.#has(counter);
  }

  /** To be called for what is authentic and `isNew`. */
  take(counter: number): void {
    if (counter > this.#highest) {
      const passed = Math.min(counter - this.#highest, replayWidth);
      for (let i = 0; i < passed; i++) this.#clear(counter - i);
      this.#highest = counter;
    }
    const bit = counter % replayWidth;
    this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] as number) | (1 << (bit & 31));
  }

  #has(counter: number): boolean {
    const bit = counter % replayWidth;
    return ((this.#bits[bit >>> 5] as number) & (1 << (bit & 31))) !== 0;
  }

  #clear(counter: number): void {
    const bit = ((counter % replayWidth) + replayWidth) % replayWidth;
    this.#bits[bit >>> 5] = (this.#bits[bit >>> 5] as number) & ~(1 << (bit & 31));
  }
}

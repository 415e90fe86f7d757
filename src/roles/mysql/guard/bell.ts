/** Ends the rest of a loop early. What rings while the loop is at work makes its next rest none. */
export class Bell {
  #rung = false;
  #sleepers: (() => void)[] = [];

  ring(): void {
    this.#rung = true;
    for (const wake of this.#sleepers.splice(0)) wake();
  }

  /** From here on the loop sees what rang until now. */
  heard(): void {
    this.#rung = false;
  }

  async rest(ms: number): Promise<void> {
    if (this.#rung) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push(resolve);
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }
}

/** Limits of a node that is in the worst health are nine times as long: 5 s for a probe. */
const worst = 8;

/**
 * Local health awareness (Lifeguard): a node that is slow itself, or whose network is bad, finds everybody else dead.
 * Who notices signs of that in itself asks less often and waits longer before it accuses anybody.
 */
export class LocalHealth {
  private score = 0;

  /** What the limits of own probes, and the time between them, are multiplied by: 1 (well) to 9. */
  get factor(): number {
    return this.score + 1;
  }

  /** A probe was answered. */
  improve(): void {
    this.score = Math.max(0, this.score - 1);
  }

  /** Somebody had to be refuted, or a probe failed and so many of those asked to look as well were not heard either. */
  worsen(by: number): void {
    this.score = Math.min(worst, this.score + by);
  }
}

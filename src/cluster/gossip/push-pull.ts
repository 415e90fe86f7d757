/**
 * Each member compares all it knows with another one so often, plus up to a third at random, so that they do not do so in
 * step. It mends what gossip missed, whatever the reason.
 */
const periodMs = 30_000;
/** Nothing new came for so long, and still somebody knows something else: gossip will not bring that any more. */
const quietMs = 2_000;
/** Between two comparisons out of turn; doubles while they do not help (a peer whose digest is made in another way). */
const earlyMs = 1_000;

/** When to compare all that is known with another member, by digest and over TLS. */
export class PushPull {
  private readonly random: () => number;
  private periodAt: number;
  private earlyAt: number;
  private pause = earlyMs;
  private newsAt: number;

  constructor(now: number, random: () => number) {
    this.random = random;
    // An agent that starts has most to learn.
    this.periodAt = now;
    this.earlyAt = now;
    this.newsAt = now;
  }

  get dueAt(): number {
    return this.periodAt;
  }

  /** True: it is time for the periodic one. */
  due(now: number): boolean {
    if (now < this.periodAt) return false;
    this.periodAt = now + periodMs * (1 + this.random() / 3);
    return true;
  }

  /** This agent stood still and may have missed much. */
  soon(now: number): void {
    this.periodAt = now;
  }

  /** Something new came by gossip. */
  news(now: number): void {
    this.newsAt = now;
  }

  /** A peer's digest is ours. */
  same(): void {
    this.pause = earlyMs;
  }

  /** A peer's digest is another one than ours. True: it is time to compare with it. */
  strange(now: number): boolean {
    if (now - this.newsAt < quietMs) return false;
    if (!this.early(now)) return false;
    this.pause = Math.min(2 * this.pause, periodMs);
    return true;
  }

  /** One out of turn, unless there was one just now. */
  early(now: number): boolean {
    if (now < this.earlyAt) return false;
    this.earlyAt = now + this.pause;
    return true;
  }
}

/**
 * A node that pauses for 2 s is not to be declared dead. Who suspects it has waited 0.6 s for its answer, and the
 * suspicion then lasts this long at least; what is more than 2 s together, and the share by size below, are for the
 * refutation to get round. Longer delays every true death by as much.
 */
const leastMs = 1_600;
/** A refutation takes some rounds more the more members there are, by their logarithm to the base of 2. */
const perDoublingMs = 100;
/** How many times as long a single accuser has to wait that nobody confirms: it may be the one that is cut off. */
const aloneFactor = 4;
/** Accusers besides the first that bring the time down to its least. More take longer to come together. */
const enoughConfirmations = 2;

/**
 * The time that a suspect has to refute before it is dead. It shortens with each further member that found it silent by
 * itself (Lifeguard): from max by (max − min) · ln(confirmations + 1) / ln(enough + 1), down to min.
 */
export class Suspicion {
  private readonly startedAt: number;
  private readonly minMs: number;
  private readonly enough: number;
  private readonly from: Set<number>;

  /** @param members how many there are in all, this node and the suspect included */
  constructor(now: number, accuser: number, members: number) {
    this.startedAt = now;
    this.minMs = leastMs + perDoublingMs * Math.log2(members + 1);
    // In a small cluster there may be fewer that could confirm it; with two members, nobody.
    this.enough = Math.min(enoughConfirmations, members - 2);
    this.from = new Set([accuser]);
  }

  get accusers(): ReadonlySet<number> {
    return this.from;
  }

  /** True: this one had not accused it yet, and its word is worth passing on. */
  confirm(accuser: number): boolean {
    if (this.from.size > this.enough || this.from.has(accuser)) return false;
    this.from.add(accuser);
    return true;
  }

  /** When it is dead, unless it refutes. */
  get deadline(): number {
    if (this.enough <= 0) return this.startedAt + this.minMs;
    const share = Math.log(this.from.size) / Math.log(this.enough + 1);
    const maxMs = aloneFactor * this.minMs;
    return this.startedAt + Math.max(this.minMs, maxMs - share * (maxMs - this.minMs));
  }
}

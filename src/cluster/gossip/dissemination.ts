/**
 * How often a member passes an item on: λ · ln(n + 1) times among n. A member then misses it with probability n^-λ where
 * nothing is lost; more is traffic, and less is left to the exchanges of all that is known.
 */
const lambda = 3;
/** What found nobody to tell it to for so long (this node was cut off) is old: exchanges bring it where it is missing. */
const staleMs = 10_000;
/** Beyond it the oldest are left to the exchanges. */
const mostQueued = 1_024;

interface Queued<T> {
  about: string;
  item: T;
  /** As JSON, with the comma behind it. */
  bytes: number;
  sends: number;
  since: number;
}

export function retransmissions(members: number): number {
  return Math.ceil(lambda * Math.log(members + 1));
}

/** What is being passed on, by what it is about: what is newer takes the place of what is not. */
export class Dissemination<T> {
  private readonly holds: (item: T) => boolean;
  private readonly queue = new Map<string, Queued<T>>();

  /** @param holds whether it is still so; what is not any more is not passed on */
  constructor(holds: (item: T) => boolean) {
    this.holds = holds;
  }

  get size(): number {
    return this.queue.size;
  }

  add(about: string, item: T, bytes: number, now: number): void {
    this.queue.delete(about);
    this.queue.set(about, { about, item, bytes: bytes + 1, sends: 0, since: now });
    if (this.queue.size <= mostQueued) return;
    const [oldest] = this.queue.keys();
    if (oldest !== undefined) this.queue.delete(oldest);
  }

  /**
   * For one packet, each counted as sent once more: those that were sent least, of them the newest.
   * @param most how many, and of how many bytes together
   * @param members how many there are in all
   */
  take(most: { count: number; bytes: number }, members: number, now: number): { items: T[]; bytes: number } {
    const items: T[] = [];
    let bytes = 0;
    if (this.queue.size === 0) return { items, bytes };
    const limit = retransmissions(members);
    for (const queued of this.inTurn(most)) {
      if (items.length >= most.count) break;
      if (now - queued.since > staleMs || !this.holds(queued.item)) {
        this.queue.delete(queued.about);
        continue;
      }
      if (bytes + queued.bytes > most.bytes) continue;
      items.push(queued.item);
      bytes += queued.bytes;
      if (++queued.sends >= limit) this.queue.delete(queued.about);
    }
    return { items, bytes };
  }

  private inTurn(most: { count: number; bytes: number }): Queued<T>[] {
    const all = [...this.queue.values()];
    let together = 0;
    for (const { bytes } of all) together += bytes;
    if (all.length <= most.count && together <= most.bytes) return all;
    return all.toReversed().sort((a, b) => a.sends - b.sends);
  }
}

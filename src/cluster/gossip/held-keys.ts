import { clockWindowMs } from "./seal.ts";
import { keysOf, type KeyRing, type RingKey } from "./keyring.ts";
import type { WireKeys } from "./wire.ts";

/** Keys that left the ring and still open, at most. */
const maxFormer = 4;

/**
 * The keys as datagrams use them. A packet is sealed with the ring's primary, and where its receiver is known not to have
 * that (it was away, or cut off, while the keys were rotated) with the newest key that both have. What has left the ring
 * opens for a while: others hear later than this node that it goes by another ring.
 */
export class HeldKeys implements WireKeys {
  #ring: KeyRing;
  #keys: RingKey[];
  #former: RingKey[] = [];
  /** When the ring was last replaced; monotonic, ms. */
  #replacedAt = Number.NEGATIVE_INFINITY;
  /** By member, ids of the keys that it last said to open with. */
  readonly #known = new Map<number, readonly string[]>();
  readonly #now: () => number;

  /** @param now monotonic, ms */
  constructor(ring: KeyRing, now: () => number) {
    this.#ring = ring;
    this.#keys = keysOf(ring);
    this.#now = now;
  }

  get ring(): KeyRing {
    return this.#ring;
  }

  replace(ring: KeyRing): void {
    const before = [...this.#former, ...this.#keys];
    this.#ring = ring;
    this.#keys = keysOf(ring);
    this.#replacedAt = this.#now();
    this.#former = before
      .filter(({ id }, at) => !this.#has(id) && before.findIndex((one) => one.id === id) === at)
      .slice(-maxFormer);
  }

  #has(id: string): boolean {
    return this.#keys.some((key) => key.id === id);
  }

  /** A member said which keys it opens with. */
  heard(member: number, opens: readonly string[]): void {
    this.#known.set(member, opens);
  }

  /** @param agreed no member that is there is known to go by another ring */
  settle(agreed: boolean): void {
    if (agreed && this.#now() - this.#replacedAt > clockWindowMs) this.#former = [];
  }

  sealing(member: number): RingKey {
    const primary = this.#keys.find(({ id }) => id === this.#ring.primary) as RingKey;
    const opens = this.#known.get(member);
    if (!opens || opens.includes(primary.id)) return primary;
    return [...this.#former, ...this.#keys].findLast(({ id }) => opens.includes(id)) ?? primary;
  }

  opening(id: string): RingKey | undefined {
    return [...this.#keys, ...this.#former].find((key) => key.id === id);
  }
}

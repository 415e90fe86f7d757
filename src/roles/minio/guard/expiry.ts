import type { Clock } from "../../../core/clock.ts";
import { log } from "../../../core/log.ts";
import type { Limits } from "../../http.ts";
import { expireOlderStates } from "../expire.ts";
import type { Store } from "../store.ts";
import { readOlderStates, type OlderStates } from "../versions.ts";
import type { Others } from "./redundancy.ts";

/** How old they become. */
const dayMs = 86_400_000;
/** How often that is looked for: each time all objects are listed, which may take a twentieth of the time. */
const every = { leastMs: 10 * 60_000, mostMs: 6 * 3_600_000, times: 20 };
/** While a drive is full, which lets the store take nothing any more. What is being written over now may have been begun before. */
const full = { ageMs: 60_000, everyMs: 10 * 60_000 };
/** So soon after the agent's start: one that is restarted often does it, too. */
const firstMs = 10 * 60_000;

/** A new bucket is told what it keeps a moment after it was made, by whichever node is first. */
const sureMs = 10_000;

/** The store's part of it. */
const inStore = { read: readOlderStates, end: expireOlderStates };

/** What the bucket keeps of objects that were written over or deleted, and its end after a day. */
export class Expiry {
  /** Null while no server has told. */
  found: OlderStates | null = null;
  readonly #clock: Pick<Clock, "now" | "wall">;
  readonly #in: typeof inStore;
  /** Since when it keeps none. */
  #noneSince: number | undefined;
  readonly #first: number;
  /** When it was done, and how long that took, ms. */
  #last: { at: number; ms: number } | undefined;

  constructor(clock: Pick<Clock, "now" | "wall">, store = inStore) {
    this.#clock = clock;
    this.#in = store;
    this.#first = clock.now() + firstMs;
  }

  /** @throws ChimeError `minio.*` */
  async look(store: Store, bucket: string, limits: Limits): Promise<void> {
    const read = await this.#in.read(store, bucket, limits);
    const now = this.#clock.now();
    this.#noneSince = read === "none" ? (this.#noneSince ?? now) : undefined;
    if (this.#noneSince === undefined || now >= this.#noneSince + sureMs) this.found = read;
  }

  /**
   * One step towards it, where that is due.
   * @param ask.may whether this node may do it now, asked again and again
   * @param ask.isFull whether a drive of the store is
   * @throws ChimeError `minio.*`
   */
  async advance(
    store: Store,
    bucket: string,
    { may, isFull }: { may: () => boolean; isFull: boolean },
    limits: Limits,
  ): Promise<void> {
    if (this.found !== "day" || this.#clock.now() < this.#dueAt(isFull) || !may()) return;
    const at = this.#clock.now();
    this.#last = { at, ms: 0 };
    const options = { ageMs: isFull ? full.ageMs : dayMs, now: this.#clock.wall(), goesOn: may };
    const count = await this.#in.end(store, bucket, options, limits);
    this.#last = { at, ms: this.#clock.now() - at };
    if (count > 0) log.info(`minio: ${count} older states of objects in ${bucket} are deleted for good`);
  }

  #dueAt(isFull: boolean): number {
    if (isFull) return (this.#last?.at ?? Number.NEGATIVE_INFINITY) + full.everyMs;
    if (!this.#last) return this.#first;
    return this.#last.at + Math.min(every.mostMs, Math.max(every.leastMs, every.times * this.#last.ms));
  }
}

/**
 * Pure: the node with the lowest place does it, and only while every drive is there and has everything. Then what the store
 * tells of an object is what all its drives say.
 * @param own this node's place
 */
export function mayExpire(own: number, mine: { attached: boolean; owes: boolean }, others: Others): boolean {
  if (!mine.attached || mine.owes) return false;
  return others.every(
    (one) =>
      one !== "dead" &&
      one !== "silent" &&
      one.state === "serving" &&
      one.attached &&
      !one.owes &&
      one.slot !== null &&
      one.slot > own,
  );
}

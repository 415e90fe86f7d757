import type { Clock } from "../../../core/clock.ts";
import { freeBytes } from "../../../host/free-space.ts";

/** With less a server can neither open a shard nor compact: from then on some buckets take points, and others do not. */
const leastBytes = 16 << 20;
/** One that has just been restarted opens its shards first. */
const everyMs = 60_000;
/** One failure may be chance. */
const fewestFailures = 3;

/** What a server says whose engine has stopped taking points: it does so until it is restarted, whatever the disk says [tried]. */
const stuck = new Set(["influxdb.full", "influxdb.broken", "influxdb.forgets"]);

/** Sees when a server has to be restarted to take points again: its disk was full, and is not any more. */
export class Revival {
  readonly #clock: Pick<Clock, "now">;
  readonly #free: () => Promise<number>;
  #failures = 0;
  #restartedAt = Number.NEGATIVE_INFINITY;
  #isFull = false;
  /** This run of the server has met a full disk: a shard that could not be opened then never is [tried]. */
  #wasFull = false;

  /** @param data where the server keeps its data */
  constructor(clock: Pick<Clock, "now">, data: () => string, free = freeBytes) {
    this.#clock = clock;
    this.#free = () => free(data());
  }

  /** There is hardly any room. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** To be called before each look at the server. */
  async look(): Promise<void> {
    // Where it cannot be asked, the server will say what is wrong.
    this.#isFull = (await this.#free().catch(() => leastBytes)) < leastBytes;
    this.#wasFull ||= this.#isFull;
  }

  /** A point went in and out. */
  well(): void {
    this.#failures = 0;
  }

  /** @param code why a point did not go in and out */
  failed(code: string): void {
    this.#failures = stuck.has(code) ? this.#failures + 1 : 0;
  }

  /** Whether the server is to be restarted now. */
  isDue(): boolean {
    if (this.#isFull) return false;
    const now = this.#clock.now();
    const isStuck = this.#failures >= fewestFailures && now - this.#restartedAt >= everyMs;
    if (!this.#wasFull && !isStuck) return false;
    this.#restartedAt = now;
    this.#failures = 0;
    this.#wasFull = false;
    return true;
  }
}

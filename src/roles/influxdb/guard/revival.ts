import type { Clock } from "../../../core/clock.ts";
import { freeBytes } from "../../../host/free-space.ts";
import { isReadOnly } from "../../../host/mounts.ts";

/** With less a server can neither open a shard nor compact: from then on some buckets take points, and others do not. */
const leastBytes = 16 << 20;
/** One that has just been restarted opens its shards first. */
const everyMs = 60_000;
/** One failure may be chance. */
const fewestFailures = 3;

/** What a server says whose engine has stopped taking points: it does so until it is restarted, whatever the disk says [tried]. */
const stuck = new Set(["influxdb.full", "influxdb.read_only", "influxdb.broken", "influxdb.forgets"]);

/** Sees when a server has to be restarted to take points again: its disk was full or read-only, and is not any more. */
export class Revival {
  readonly #clock: Pick<Clock, "now">;
  readonly #data: () => string;
  readonly #free: (path: string) => Promise<number>;
  readonly #readOnly: (path: string) => boolean;
  #failures = 0;
  #restartedAt = Number.NEGATIVE_INFINITY;
  #isFull = false;
  /** This run of the server has met a full disk: a shard that could not be opened then never is [tried]. */
  #wasFull = false;

  /** @param data where the server keeps its data */
  constructor(clock: Pick<Clock, "now">, data: () => string, free = freeBytes, readOnly = isReadOnly) {
    this.#clock = clock;
    this.#data = data;
    this.#free = free;
    this.#readOnly = readOnly;
  }

  /** There is hardly any room. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** Nothing can be written to its data, or to its engine's, as far as this process sees. */
  get isReadOnly(): boolean {
    try {
      return [this.#data(), `${this.#data()}/engine`].some((path) => this.#readOnly(path));
    } catch {
      // A table of mounts that is not understood: the server will say what is wrong.
      return false;
    }
  }

  /** To be called before each look at the server. */
  async look(): Promise<void> {
    // Where it cannot be asked, the server will say what is wrong.
    this.#isFull = (await this.#free(this.#data()).catch(() => leastBytes)) < leastBytes;
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
    // Started on such a disk it would not even be there any more.
    if ((!this.#wasFull && !isStuck) || this.isReadOnly) return false;
    this.#restartedAt = now;
    this.#failures = 0;
    this.#wasFull = false;
    return true;
  }
}

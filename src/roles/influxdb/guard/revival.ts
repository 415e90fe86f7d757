import type { Clock } from "../../../core/clock.ts";
import { freeBytes } from "../../../host/free-space.ts";
import { log } from "../../../core/log.ts";

/** With less a server can neither snapshot its cache nor compact. */
const leastBytes = 64 << 20;
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

  /** @param data where the server keeps its data */
  constructor(clock: Pick<Clock, "now">, data: () => string, free = freeBytes) {
    this.#clock = clock;
    this.#free = () => free(data());
  }

  /** There is hardly any room. */
  get isFull(): boolean {
    return this.#isFull;
  }

  well(): void {
    this.#failures = 0;
    this.#isFull = false;
  }

  /** @param code why a point did not go in and out @returns whether the server is to be restarted now */
  async isDue(code: string): Promise<boolean> {
    this.#failures = stuck.has(code) ? this.#failures + 1 : 0;
    if (this.#failures === 0) return false;
    try {
      this.#isFull = (await this.#free()) < leastBytes;
    } catch (error) {
      log.debug("influxdb:", error);
      return false;
    }
    const now = this.#clock.now();
    if (this.#isFull || this.#failures < fewestFailures || now - this.#restartedAt < everyMs) return false;
    this.#restartedAt = now;
    this.#failures = 0;
    return true;
  }
}

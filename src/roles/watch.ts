import type { Clock } from "../core/clock.ts";
import { toChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { RoleName } from "../cluster/types.ts";

/** What a guard does again and again, until it is stopped. */
export class Watch {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #role: RoleName;
  readonly #stop = new AbortController();
  readonly #loops: Promise<void>[] = [];

  constructor(clock: Pick<Clock, "sleep">, role: RoleName) {
    this.#clock = clock;
    this.#role = role;
  }

  /** Ends with the watch. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Does it now, and so many ms after each time that it ended. What goes wrong is told, but for what the stop ends. */
  every(ms: number | (() => number), work: () => Promise<void>): void {
    this.#loops.push(this.#repeat(typeof ms === "number" ? () => ms : ms, work));
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#loops);
  }

  async #repeat(pace: () => number, work: () => Promise<void>): Promise<void> {
    const { signal } = this;
    while (!signal.aborted) {
      await work().catch((error: unknown) => {
        if (!signal.aborted) log.warn(`${this.#role}:`, toChimeError(error).message);
      });
      await this.#clock.sleep(pace(), signal).catch(() => undefined);
    }
  }
}

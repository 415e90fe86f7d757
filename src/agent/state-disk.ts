import { statfs } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import type { Problem } from "../roles/guard.ts";

/** Records are some hundred bytes; what the agent writes besides (history, the cluster's state) some hundred KiB. */
const fullBytes = 1 << 20;
const everyMs = 5_000;

/** Whether the agent's own file system has room. Never waited for: a disk that hangs must not hold the agent up. */
export class StateDisk {
  readonly #directory: string;
  readonly #clock: Pick<Clock, "now">;
  readonly #hasRoom: () => void;
  #free = Number.POSITIVE_INFINITY;
  #looking = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param hasRoom called after each look that finds some */
  constructor(directory: string, clock: Pick<Clock, "now">, hasRoom: () => void) {
    this.#directory = directory;
    this.#clock = clock;
    this.#hasRoom = hasRoom;
  }

  /** As of the last look; looks again where that is a while ago. */
  problems(node: string): Problem[] {
    if (!this.#looking && this.#clock.now() - this.#lookedAt >= everyMs) void this.#look();
    if (this.#free >= fullBytes) return [];
    return [
      {
        code: "agent.disk_full",
        severity: "error",
        node,
        message: `only ${this.#free >> 10} KiB are free at ${this.#directory}: ${node} may soon be unable to record a vote, and then grants none and takes over nothing`,
        remedy: `make room there: ${(2 * fullBytes) >> 20} MiB at least`,
      },
    ];
  }

  async #look(): Promise<void> {
    this.#looking = true;
    this.#lookedAt = this.#clock.now();
    try {
      // The system's user may fill what others may not.
      const { bfree, bsize } = await statfs(this.#directory);
      this.#free = bfree * bsize;
      if (this.#free >= fullBytes) this.#hasRoom();
    } catch (error) {
      log.debug(`${this.#directory}:`, error);
    } finally {
      this.#looking = false;
    }
  }
}

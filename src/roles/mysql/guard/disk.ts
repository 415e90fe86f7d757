import { statfs } from "node:fs/promises";
import type { Problem } from "../../guard.ts";
import { log } from "../../../core/log.ts";
import type { Clock } from "../../../core/clock.ts";

/** What a server needs to go on, and to stop in order: a few of the largest usual transactions. */
const fullBytes = 16 << 20;
/** So that one who makes room for a moment does not make the node come and go. */
const roomBytes = 2 * fullBytes;
const everyMs = 500;

/** Whether the file system of the data has room. Never waited for: a disk that hangs must not hold the guard up. */
export class DiskWatch {
  readonly #directory: string;
  readonly #clock: Pick<Clock, "now">;
  #full = false;
  #free = 0;
  #looking = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(directory: string, clock: Pick<Clock, "now">) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** As of the last look; looks again where that is a while ago. @param changed called when it is another answer */
  isFull(changed: () => void): boolean {
    if (!this.#looking && this.#clock.now() - this.#lookedAt >= everyMs) void this.#look(changed);
    return this.#full;
  }

  async #look(changed: () => void): Promise<void> {
    this.#looking = true;
    this.#lookedAt = this.#clock.now();
    try {
      const { bavail, bsize } = await statfs(this.#directory);
      this.#free = bavail * bsize;
      const full = this.#free < (this.#full ? roomBytes : fullBytes);
      if (full !== this.#full) {
        this.#full = full;
        log.warn(`mysql: ${full ? this.text : `there is room again at ${this.#directory}`}`);
        changed();
      }
    } catch (error) {
      log.debug(`mysql: ${this.#directory}:`, error);
    } finally {
      this.#looking = false;
    }
  }

  get text(): string {
    return `only ${Math.floor(this.#free / (1 << 20))} MiB are free at ${this.#directory}`;
  }

  problems(node: string): Problem[] {
    if (!this.#full) return [];
    return [
      {
        code: "mysql.disk_full",
        severity: "error",
        node,
        message: `${this.text}: ${node} writes nothing and takes over nothing`,
        remedy: `make room there: ${roomBytes >> 20} MiB at least`,
      },
    ];
  }
}

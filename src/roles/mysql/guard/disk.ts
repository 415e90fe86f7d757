import type { Problem } from "../../guard.ts";
import { log } from "../../../core/log.ts";
import type { Clock } from "../../../core/clock.ts";
import { SpaceWatch } from "../../../host/free-space.ts";

/** What a server needs to go on, and to stop in order: a few of the largest usual transactions. */
const fullBytes = 16 << 20;
/** So that one who makes room for a moment does not make the node come and go. */
const roomBytes = 2 * fullBytes;
const everyMs = 500;

/** Whether the file system of the data has room, for the server: that is not root. */
export class DiskWatch {
  readonly #directory: string;
  readonly #space: SpaceWatch;
  #full = false;
  #free = 0;

  constructor(directory: string, clock: Pick<Clock, "now">) {
    this.#directory = directory;
    this.#space = new SpaceWatch({ directory, filler: "anybody", everyMs, clock });
  }

  /** As of the last look; looks again where that is a while ago. @param changed called when it is another answer */
  isFull(changed: () => void): boolean {
    this.#space.look((free) => {
      this.#free = free;
      const full = free < (this.#full ? roomBytes : fullBytes);
      if (full === this.#full) return;
      this.#full = full;
      log.warn(`mysql: ${full ? this.text : `there is room again at ${this.#directory}`}`);
      changed();
    });
    return this.#full;
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

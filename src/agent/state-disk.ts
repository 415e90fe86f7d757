import type { Clock } from "../core/clock.ts";
import { SpaceWatch } from "../host/free-space.ts";
import type { Problem } from "../roles/guard.ts";

/** Records are some hundred bytes; what the agent writes besides (history, the cluster's state) some hundred KiB. */
const fullBytes = 1 << 20;
const everyMs = 5_000;

/** Whether the agent's own file system has room, for the agent: that is root. */
export class StateDisk {
  readonly #directory: string;
  readonly #space: SpaceWatch;
  readonly #hasRoom: () => void;
  #free = Number.POSITIVE_INFINITY;

  /** @param hasRoom called after each look that finds some */
  constructor(directory: string, clock: Pick<Clock, "now">, hasRoom: () => void) {
    this.#directory = directory;
    this.#space = new SpaceWatch({ directory, filler: "root", everyMs, clock });
    this.#hasRoom = hasRoom;
  }

  /** As of the last look; looks again where that is a while ago. */
  problems(node: string): Problem[] {
    this.#space.look((free) => {
      this.#free = free;
      if (free >= fullBytes) this.#hasRoom();
    });
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
}

import { availableParallelism } from "node:os";
import type { LabNode } from "./node.ts";
import type { Running } from "./process.ts";

/** Keeps as many cores busy as the machine has, by work that competes with the node's services. */
export class BusyCores {
  readonly #loops: readonly Running[];

  /** @param seconds after these they end by themselves, whatever became of this process */
  constructor(node: LabNode, seconds: number) {
    // In the foreground: else it leaves its process group, which is what `stop` signals.
    const argv = [
      "timeout",
      "--foreground",
      "--signal=KILL",
      String(Math.ceil(seconds)),
      "sh",
      "-c",
      "while :; do :; done",
    ];
    this.#loops = Array.from({ length: availableParallelism() }, () => node.start(argv));
  }

  /** How many still compute: less than all is no full load. */
  get running(): number {
    return this.#loops.filter(({ ended }) => !ended).length;
  }

  async stop(): Promise<void> {
    for (const loop of this.#loops) loop.signal("SIGKILL");
    await Promise.all(this.#loops.map(({ exited }) => exited));
  }
}

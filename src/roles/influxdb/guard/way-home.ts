import type { Clock } from "../../../core/clock.ts";

/** The other node has to be as good as this one for so long, ms. */
const steadyMs = 60_000;
/** The address goes from this node at most so often, ms: a node that fails again and again does not pull it to and fro. */
const restMs = 600_000;

/** When the address goes to the node where it belongs. */
export class WayHome {
  readonly #clock: Pick<Clock, "now">;
  #since: number | undefined;
  #goneAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** To be called every few seconds. @param mayGo it is here, belongs to the other node, and that one has everything */
  isDue(mayGo: boolean): boolean {
    const now = this.#clock.now();
    this.#since = mayGo ? (this.#since ?? now) : undefined;
    return this.#since !== undefined && now - this.#since >= steadyMs && now - this.#goneAt >= restMs;
  }

  /** It goes. */
  gone(): void {
    this.#goneAt = this.#clock.now();
    this.#since = undefined;
  }
}

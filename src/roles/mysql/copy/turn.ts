import type { Happening } from "../../happening.ts";
import type { Clock } from "../../../core/clock.ts";

/** How long the parts of a piece of work took, for the history. */
export class Turn {
  readonly #clock: Pick<Clock, "now">;
  readonly #since: number;
  readonly #steps: { do: string; ms: number }[] = [];

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  /** Also of a part that fails. */
  async timed(step: string, part: () => Promise<void>): Promise<void> {
    const started = this.#clock.now();
    try {
      await part();
    } finally {
      this.#steps.push({ do: step, ms: Math.round(this.#clock.now() - started) });
    }
  }

  told(): Pick<Happening, "seconds" | "steps"> {
    return { seconds: Math.round(this.#clock.now() - this.#since) / 1000, steps: [...this.#steps] };
  }
}

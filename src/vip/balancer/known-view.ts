import type { Clock } from "../../core/clock.ts";
import type { Balancer, BackendView } from "./types.ts";

/**
 * For so long what was known goes on to count, ms. A balancer that says nothing is given up after 2 s (`haproxy-socket.ts`): one
 * such look on a busy machine is chance, two in a row are not. A reload breaks no answer off (67 of them under 8,000 looks).
 */
const keptMs = 3_000;

/** What a balancer thinks of its backends, over moments in which it does not say so: not to know is not to find none. */
export class KnownView {
  readonly #balancer: Pick<Balancer, "view">;
  readonly #clock: Pick<Clock, "now">;
  #last: { view: BackendView[]; at: number } | undefined;

  constructor(balancer: Pick<Balancer, "view">, clock: Pick<Clock, "now">) {
    this.#balancer = balancer;
    this.#clock = clock;
  }

  /** @returns `isFresh`: the balancer says so now. Where nothing is known any more, no backends. */
  async look(): Promise<{ view: readonly BackendView[]; isFresh: boolean }> {
    try {
      const view = await this.#balancer.view();
      this.#last = { view, at: this.#clock.now() };
      return { view, isFresh: true };
    } catch {
      if (this.#last && this.#clock.now() - this.#last.at > keptMs) this.#last = undefined;
      return { view: this.#last?.view ?? [], isFresh: false };
    }
  }
}

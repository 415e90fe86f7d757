import type { Clock } from "../core/clock.ts";
import type { HeardBy, Listening } from "../vip/listening.ts";

/** By then most have typed the join; who comes later listens for as long as it takes. */
const longestMs = 5 * 60_000;

/**
 * An agent whose node may get its first VIP listens for other VRRP routers from its start on: the time counts for the join
 * that takes a role here, which may install nothing before it has listened.
 */
export class RoutersHeard {
  readonly #clock: Pick<Clock, "now">;
  readonly #end: number;
  readonly #awaitsVip: () => boolean;
  #listening: Listening | undefined;

  /** @param awaitsVip whether a role with a VIP may be taken here, and none is yet */
  constructor(clock: Pick<Clock, "now">, awaitsVip: () => boolean, open: () => Listening) {
    this.#clock = clock;
    this.#end = clock.now() + longestMs;
    this.#awaitsVip = awaitsVip;
    if (awaitsVip()) this.#listening = open();
  }

  /** To be called now and then: ends it where nobody will ask any more. */
  settle(): void {
    if (this.#listening && (this.#clock.now() >= this.#end || !this.#awaitsVip())) this.close();
  }

  /** What was heard in the last `ms`; nothing where it does not listen. */
  heard(ms: number): HeardBy {
    return this.#listening?.heard(ms) ?? {};
  }

  /** What `init` heard, which listened before this agent was there. */
  add(heard: HeardBy): void {
    this.#listening?.add(heard);
  }

  close(): void {
    this.#listening?.close();
    this.#listening = undefined;
  }
}

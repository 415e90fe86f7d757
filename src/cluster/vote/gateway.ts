import type { Clock } from "../../core/clock.ts";
import { log } from "../../core/log.ts";
import { breakMs, slowMs, type Standing } from "./standing.ts";

/** Whether the gateway answers within so many ms. */
export type AskGateway = (timeoutMs: number) => Promise<boolean>;

/** Not at all, now and then while the other voter is heard, or all the time while it is silent. */
type Pace = "off" | "slow" | "closely";

/** Three requests each. Where packets get lost, all of them may; twice in a row is a break. */
const slowTryMs = 900;
const slowTries = 2;
/** Between two questions to a gateway that does not answer. */
const missingMs = 1_000;
const closeTryMs = 120;
const closePauseMs = 80;

/** Asks the gateway, and tells this node's standing what became of it. Time and network are injected. */
export class GatewayWatch {
  readonly #clock: Clock;
  readonly #ask: AskGateway;
  readonly #standing: Standing;
  readonly #changed: () => void;
  #pace: Pace = "off";
  #closelySince = 0;
  #misses = 0;
  #running = false;
  #wake = new AbortController();

  /** @param changed called after each answer or break while it is asked closely: somebody waits for it */
  constructor(clock: Clock, ask: AskGateway, standing: Standing, changed: () => void) {
    this.#clock = clock;
    this.#ask = ask;
    this.#standing = standing;
    this.#changed = changed;
  }

  watch(pace: Pace): void {
    if (pace === this.#pace) return;
    this.#pace = pace;
    if (pace === "closely") this.#closelySince = this.#clock.now();
    this.#wake.abort();
    if (!this.#running && pace !== "off") void this.#run();
  }

  #isWatching(): boolean {
    return this.#pace !== "off";
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#isWatching()) {
      const isClose = this.#pace === "closely";
      const asked = this.#clock.now();
      const answered = await this.#ask(isClose ? closeTryMs : slowTryMs).catch((error: unknown) => {
        log.debug("gateway:", error);
        return false;
      });
      this.#misses = answered ? 0 : this.#misses + 1;
      if (answered) this.#standing.answered(asked, this.#clock.now());
      else this.#silent(isClose);
      if (isClose) this.#changed();
      this.#wake = new AbortController();
      // The pace may have changed while it was asked.
      const pause = this.#pace === "closely" ? closePauseMs : answered ? slowMs : missingMs;
      const isAtOnce = !answered && (this.#pace === "closely" || this.#misses < slowTries);
      if (this.#isWatching() && !isAtOnce)
        await this.#clock.sleep(pause, this.#wake.signal).catch(() => undefined);
    }
    this.#running = false;
  }

  #silent(isClose: boolean): void {
    const since = Math.max(this.#standing.lastAnswer, this.#closelySince);
    if (isClose ? this.#clock.now() - since < breakMs : this.#misses < slowTries) return;
    if (this.#standing.answers(this.#clock.now())) log.warn("the gateway does not answer any more");
    this.#standing.missed();
  }
}

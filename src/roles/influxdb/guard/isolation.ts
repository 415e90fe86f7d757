import type { Clock } from "../../../core/clock.ts";
import type { AskGateway } from "../../../cluster/vote/gateway.ts";

const askMs = 300;
/** While the other node is heard it is only found out whether there is a gateway that answers. */
const seldomMs = 60_000;

/** Whether this node is the one that nobody reaches: the other node is not heard, and the gateway that answered does not. */
export class Isolation {
  readonly #clock: Pick<Clock, "now">;
  readonly #ask: AskGateway;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** It answered once: a network may have none. */
  #isThere = false;
  #cutOff = false;

  constructor(clock: Pick<Clock, "now">, ask: AskGateway) {
    this.#clock = clock;
    this.#ask = ask;
  }

  get isCutOff(): boolean {
    return this.#cutOff;
  }

  /** @param isAlone the other node is not heard */
  async look(isAlone: boolean): Promise<void> {
    const now = this.#clock.now();
    if (!isAlone) this.#cutOff = false;
    if (!isAlone && now - this.#askedAt < seldomMs) return;
    this.#askedAt = now;
    const answers = await this.#ask(askMs);
    this.#isThere ||= answers;
    this.#cutOff = isAlone && this.#isThere && !answers;
  }
}

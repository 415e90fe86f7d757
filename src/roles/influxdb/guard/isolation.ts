import type { Clock } from "../../../core/clock.ts";
import { log } from "../../../core/log.ts";
import type { AskGateway } from "../../../cluster/vote/gateway.ts";

const askMs = 300;
/** Where packets get lost, all of one question may. */
const tries = 2;
/** While the other node is heard it is only found out whether there is a gateway that answers: seldom once it is known. */
const knownMs = 60_000;
const unknownMs = 5_000;
/** One that has not answered for so long, while the other node was heard all the time, is none any more. */
const forgetMs = 5 * knownMs;

/** Whether this node is the one that nobody reaches: the other node is not heard, and the gateway that answered does not. */
export class Isolation {
  readonly #clock: Pick<Clock, "now">;
  readonly #ask: AskGateway;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** A network may have no gateway, or lose it. */
  #answeredAt = Number.NEGATIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  #cutOff = false;

  constructor(clock: Pick<Clock, "now">, ask: AskGateway) {
    this.#clock = clock;
    this.#ask = ask;
  }

  get isCutOff(): boolean {
    return this.#cutOff;
  }

  /** @param isAlone the other node is not heard. Only then an answer is waited for */
  async look(isAlone: boolean): Promise<void> {
    if (!isAlone) {
      this.#cutOff = false;
      this.#heardAt = this.#clock.now();
      const everyMs = this.#isThere ? knownMs : unknownMs;
      if (this.#heardAt - this.#askedAt >= everyMs) void this.#answers();
      return;
    }
    let answers = false;
    for (let nth = 0; nth < tries && !answers; nth++) answers = await this.#answers();
    this.#cutOff = !answers && this.#isThere;
  }

  /** It answered while the other node was heard, or since. */
  get #isThere(): boolean {
    return this.#answeredAt > this.#heardAt - forgetMs;
  }

  async #answers(): Promise<boolean> {
    this.#askedAt = this.#clock.now();
    const answers = await this.#ask(askMs).catch((error: unknown) => {
      log.debug("gateway:", error);
      return false;
    });
    if (answers) this.#answeredAt = this.#clock.now();
    return answers;
  }
}

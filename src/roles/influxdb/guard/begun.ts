import type { Clock } from "../../../core/clock.ts";
import { errorJson, failed, type ErrorJson } from "../../../core/errors.ts";
import type { DeletionResult, Waiting } from "./deleting.ts";

/** What became of a deletion that the command line began. */
export interface DeletionProgress {
  /** The node whose server it is waited for; null: for none yet. */
  awaiting: string | null;
  /** Null: it goes on, or it failed. */
  result: DeletionResult | null;
  failure: ErrorJson | null;
}

/** Who asks is answered at once when it is over, and else after so long, ms. */
const answerMs = 1_000;
/** The last ones that are over, whose askers may not have heard that yet. */
const kept = 16;

/** Deletions that the command line began, and asks about until they are over: a server may need an hour for one. */
export class Begun {
  readonly #clock: Pick<Clock, "sleep">;
  readonly #all = new Map<string, DeletionProgress & { over: Promise<unknown> }>();

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  /** @returns its ID, as soon as it is written down @throws what keeps it from that */
  begin(work: (waiting: Waiting) => Promise<DeletionResult>): Promise<string> {
    const begun = Promise.withResolvers<string>();
    const over = Promise.withResolvers<void>();
    const one = { awaiting: null, result: null, failure: null, over: over.promise };
    const progress: DeletionProgress = one;
    const waiting: Waiting = {
      begun: (id) => {
        this.#all.set(id, one);
        begun.resolve(id);
      },
      awaits: (node) => (progress.awaiting = node),
    };
    const ended = (error: unknown) => {
      progress.failure = errorJson(error);
      begun.reject(error);
    };
    void work(waiting)
      .then((result) => (progress.result = result), ended)
      .finally(() => {
        over.resolve();
        this.#forget();
      });
    return begun.promise;
  }

  /** @throws ChimeError `influxdb.no_deletion` where this agent did not begin it */
  async progress(id: string): Promise<DeletionProgress> {
    const one = this.#all.get(id);
    if (!one) {
      throw failed(
        "influxdb.no_deletion",
        "this agent did not begin that deletion: it was restarted meanwhile",
      );
    }
    const slow = new AbortController();
    await Promise.race([one.over, this.#clock.sleep(answerMs, slow.signal)]);
    slow.abort();
    const { awaiting, result, failure } = one;
    return { awaiting, result, failure };
  }

  #forget(): void {
    const over = [...this.#all].filter(([, { result, failure }]) => result ?? failure);
    for (const [id] of over.slice(0, -kept)) this.#all.delete(id);
  }
}

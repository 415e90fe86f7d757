import type { Problem } from "../../guard.ts";
import { toChimeError, type ChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";

/** A step that fails once is tried again and not worth a word to the operator; one that goes on failing is. */
const worthTelling = 4;

/** What does not work at the moment, and for how many tries. */
export class Trouble {
  #now: { step: string; error: ChimeError; times: number } | undefined;

  note(step: string, error: unknown): void {
    const known = toChimeError(error);
    const before = this.#now?.step === step ? this.#now : undefined;
    if (before?.error.message !== known.message) log.warn(`mysql: ${step}: ${known.message}`);
    this.#now = { step, error: known, times: (before?.times ?? 0) + 1 };
  }

  /** The step worked, or (without one) there is nothing to do. */
  over(step?: string): void {
    if (step === undefined || this.#now?.step === step) this.#now = undefined;
  }

  /** For a progress line; empty where all is well. */
  get text(): string {
    return this.#now ? ` (${this.#now.step}: ${this.#now.error.message})` : "";
  }

  problems(node: string): Problem[] {
    if (!this.#now || this.#now.times < worthTelling) return [];
    const { step, error } = this.#now;
    return [
      {
        code: error.code,
        severity: "warning",
        node,
        message: `mysql, ${step}: ${error.message}`,
        remedy: error.remedy ?? "journalctl -u chime-node",
      },
    ];
  }
}

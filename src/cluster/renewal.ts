import { X509Certificate } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { toChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";

const dayMs = 86_400_000;
/** A third of a certificate's life: a member that was away for eight months comes back with one that is good. */
const renewBeforeMs = 243 * dayMs;
const lookEveryMs = 3_600_000;
/** While the others refuse this node for its certificate. */
const againMs = 5_000;

/** `early`: it was signed by a clock that was ahead. */
export type Standing = "good" | "due" | "expired" | "early";

/** Pure. @param now wall clock in ms */
export function standing(certificate: string, now: number): Standing {
  const { validFrom, validTo } = new X509Certificate(certificate);
  if (now < Date.parse(validFrom)) return "early";
  if (now > Date.parse(validTo)) return "expired";
  return Date.parse(validTo) - now > renewBeforeMs ? "good" : "due";
}

export interface RenewalOptions {
  /** The present one, PEM. */
  certificate: () => string;
  /** Has another one signed. */
  ask: () => Promise<string>;
  /** Uses it from now on. */
  take: (certificate: string) => Promise<void>;
  clock: Clock;
}

/** Keeps this node's certificate in its time, by itself. */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #stopping = new AbortController();
  #failure: string | undefined;

  constructor(options: RenewalOptions) {
    this.#options = options;
    void this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const pause = await this.#look();
      await this.#options.clock.sleep(pause, signal).catch(() => undefined);
    }
  }

  /** Returns when to look again. */
  async #look(): Promise<number> {
    const { certificate, ask, take, clock } = this.#options;
    const found = standing(certificate(), clock.wall());
    if (found === "good") return lookEveryMs;
    try {
      await take(await ask());
      this.#failure = undefined;
      log.info("this node's certificate was renewed");
      return lookEveryMs;
    } catch (error) {
      const { message } = toChimeError(error);
      if (message !== this.#failure) log.warn(`this node's certificate was not renewed: ${message}`);
      this.#failure = message;
      return found === "due" ? lookEveryMs : againMs;
    }
  }

  /** Why the others refuse this node, and why that goes on; undefined: they do not, for all that can be known here. */
  get trouble(): string | undefined {
    const { certificate, clock } = this.#options;
    const pem = certificate();
    const found = standing(pem, clock.wall());
    if (this.#failure === undefined || found === "good" || found === "due") return undefined;
    const { validFrom, validTo } = new X509Certificate(pem);
    const ends = found === "early" ? `begins on ${validFrom}` : `ended on ${validTo}`;
    return `its certificate ${ends}, by its clock, and no other could be had: ${this.#failure}`;
  }

  stop(): void {
    this.#stopping.abort();
  }
}

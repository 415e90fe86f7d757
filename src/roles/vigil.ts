import type { RoleName } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import type { Attention } from "./attention.ts";

export interface VigilOptions {
  role: RoleName;
  /** Nobody is looked for any more once it is aborted. */
  signal: AbortSignal;
  open: (onEnd: () => void) => Promise<Attention | undefined>;
  /** What follows from it. Undefined: the server is not there. */
  found: (attention: Attention | undefined) => Promise<void>;
}

/** Whether a node's own server runs, known at the moment at which it ends. */
export class Vigil {
  readonly #options: VigilOptions;
  #attention: Attention | undefined;
  #looking: Promise<void> = Promise.resolve();

  constructor(options: VigilOptions) {
    this.#options = options;
  }

  /** As long as the server runs. */
  get attention(): Attention | undefined {
    return this.#attention;
  }

  /** One look after the other: when it is asked for, and when the connection to the server ended. */
  look(): Promise<void> {
    return (this.#looking = this.#looking.catch(() => undefined).then(() => this.#lookNow()));
  }

  /** A server that closes a connection of which nothing comes still runs: until that is known, the old one stands. */
  async #lookNow(): Promise<void> {
    const { role, signal, open, found } = this.#options;
    if (signal.aborted) return;
    const next = await open(() => void this.look().catch((error: unknown) => log.warn(`${role}:`, error)));
    this.#attention?.close();
    this.#attention = next;
    if (signal.aborted) return next?.close();
    await found(next);
  }

  /** Resolves when no look runs any more; to be called once the signal is aborted. */
  async stop(): Promise<void> {
    this.#attention?.close();
    await this.#looking.catch(() => undefined);
  }
}

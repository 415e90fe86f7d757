import { systemClock } from "../../core/clock.ts";
import type { Acknowledged } from "./outage.ts";

/** How soon a client tries again after whatever went wrong, ms. */
export const againMs = 5;

/** Comparable between processes and, unlike Date.now(), finer than a millisecond. */
export const now = () => performance.timeOrigin + performance.now();

/** Clients of a service that a drill breaks: they go on as soon as they can, and remember what they were promised. */
export abstract class Clients {
  /** By time. */
  readonly acknowledged: Acknowledged[] = [];
  #running: Promise<unknown> = Promise.resolve();
  readonly #stop = new AbortController();

  /** Until `signal`; what fails is tried again. */
  protected abstract client(nth: number, signal: AbortSignal): Promise<void>;
  protected abstract readonly count: number;
  /** No answer is awaited longer, ms. */
  protected abstract readonly patienceMs: number;

  /** A change was promised. */
  protected promise(id: number): void {
    this.acknowledged.push({ id, at: now() });
  }

  start(): void {
    const clients = Array.from({ length: this.count }, (_, nth) => this.client(nth, this.#stop.signal));
    this.#running = Promise.all(clients);
  }

  /** What was acknowledged until now, by time. Waits for no answer longer than its limit. */
  async stop(): Promise<readonly Acknowledged[]> {
    this.#stop.abort();
    await Promise.race([this.#running, systemClock.sleep(this.patienceMs)]);
    return this.acknowledged;
  }
}

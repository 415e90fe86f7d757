import type { Clock } from "../../../core/clock.ts";

/** How long a node that was asked to stop writing waits for the asker's term before it may write again. */
const yieldMs = 3_000;

/** A server that was to be stopped and still runs after this goes on. */
const leaveMs = 60_000;

/** What this node holds back from for a while, of its own accord. Each ends by itself: whoever asked for it may die. */
export class Withdrawal {
  readonly #clock: Clock;
  readonly #changed: () => void;
  #standsDownUntil = 0;
  #stoppingUntil = 0;
  #leavingUntil = 0;

  constructor(clock: Clock, changed: () => void) {
    this.#clock = clock;
    this.#changed = changed;
  }

  /** Stops writing until a newer term is known, or for a while. */
  standDown(ms = yieldMs): void {
    this.#standsDownUntil = this.#clock.now() + ms;
    this.#changed();
  }

  /** Its server is about to be stopped, after what may still take some seconds. */
  prepareStop(): void {
    this.#stoppingUntil = this.#clock.now() + leaveMs;
  }

  /** Its server is about to be stopped: nobody counts on this node until it has another one, or none was stopped. */
  leave(): void {
    this.#leavingUntil = this.#clock.now() + leaveMs;
    this.#changed();
  }

  /** A newer term says who writes. */
  onTerm(): void {
    this.#standsDownUntil = 0;
  }

  /** The server that was to be stopped is no more. */
  onServerGone(): void {
    this.#stoppingUntil = 0;
    this.#leavingUntil = 0;
  }

  get standsDown(): boolean {
    return this.leaving || this.#clock.now() < this.#standsDownUntil;
  }

  get stopping(): boolean {
    return this.#clock.now() < this.#stoppingUntil;
  }

  get leaving(): boolean {
    return this.#clock.now() < this.#leavingUntil;
  }
}

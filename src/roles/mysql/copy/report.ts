import type { Problem } from "../../guard.ts";
import type { Clock } from "../../../core/clock.ts";
import { errorJson, toChimeError, type ErrorJson } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { size } from "./space.ts";

/** What the command line asks for (operations/rebuild.ts). */
export interface RebuildProgress {
  active: boolean;
  text: string | null;
  /** Why the last one ended without success. */
  failure: ErrorJson | null;
}

/** How far a rebuild is and why the last one failed, for the operator's command, `status` and the log. */
export class Report {
  readonly #node: string;
  readonly #clock: Pick<Clock, "now">;
  #text: string | null = null;
  #percent: number | null = null;
  #since = 0;
  #failure: { error: ErrorJson; at: number } | undefined;

  constructor(node: string, clock: Pick<Clock, "now">) {
    this.#node = node;
    this.#clock = clock;
  }

  /** What it is doing, after "waiting for"; null: nothing. */
  get text(): string | null {
    return this.#text;
  }

  get progress(): RebuildProgress {
    return { active: this.#text !== null, text: this.#text, failure: this.#failure?.error ?? null };
  }

  /** A new run: the last one's failure is forgotten. */
  begin(): void {
    this.#failure = undefined;
    this.#since = this.#clock.now();
  }

  /** Something that takes a while and cannot be counted; null: it has ended. */
  say(text: string | null): void {
    this.#text = text;
    this.#percent = null;
  }

  /** @param done bytes so far, of about `bytes` */
  copied(source: string, done: number, bytes: number): void {
    const share = Math.min(99, Math.floor((done / Math.max(bytes, 1)) * 100));
    const seconds = Math.max(0.1, (this.#clock.now() - this.#since) / 1000);
    this.#text = `the copy of ${source}: ${size(done)} of ${size(bytes)} (${share} %, ${size(done / seconds)}/s)`;
    // A published line goes to every member: ten of them are enough.
    const rounded = share - (share % 10);
    if (rounded !== this.#percent) log.info(`mysql: ${this.#text}`);
    this.#percent = rounded;
  }

  fail(error: unknown): void {
    log.error(`mysql: rebuild: ${toChimeError(error).message}`);
    const known = errorJson(error);
    const remedy = `chime-node status; when its cause is gone: chime-node join --rebuild ${this.#node}`;
    this.#failure = { error: { ...known, remedy: known.remedy ?? remedy }, at: this.#clock.now() };
  }

  /** Why the last run failed, if that is less than `ms` ago. */
  failedWithin(ms: number): ErrorJson | undefined {
    const failure = this.#failure;
    return failure && this.#clock.now() - failure.at < ms ? failure.error : undefined;
  }

  /** @param isReady whatever failed, the node does its part again */
  problems(isReady: boolean): Problem[] {
    const node = this.#node;
    if (this.#text !== null) {
      const far = this.#percent === null ? "" : `: ${this.#percent} %`;
      return [
        {
          code: "mysql.rebuilding",
          severity: "warning",
          node,
          message: `${node} is being rebuilt from the node that serves${far}`,
          remedy: `wait; journalctl -u chime-node on ${node} says more`,
        },
      ];
    }
    if (!this.#failure || isReady) return [];
    const { message, remedy } = this.#failure.error;
    return [
      {
        code: "mysql.rebuild_failed",
        severity: "error",
        node,
        message: `${node} could not be rebuilt: ${message}`,
        remedy: remedy ?? "chime-node status",
      },
    ];
  }
}

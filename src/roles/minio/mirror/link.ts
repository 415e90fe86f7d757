import type { Clock } from "../../../core/clock.ts";
import { toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import type { RoleContext } from "../../types.ts";
import type { Limits } from "../../http.ts";
import { ownStore } from "../stores.ts";
import { sitesOf, type Other } from "./other.ts";
import { ensureMirror, leaveMirror, mirrorState } from "./replication.ts";

/** While all is well it is looked at no more often than the stores ask each other. */
const seldomMs = 5_000;
/** One failure may be chance. */
const fewestFailures = 2;

/** Whether this node's store copies to the other one, which the node that is current sees to. */
export class Link {
  /** Null while that is not known. */
  enabled: boolean | null = null;
  /** Why the two are not made to copy to each other. */
  trouble: string | null = null;
  readonly #clock: Pick<Clock, "now">;
  #failures = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** This store reached the other one lately. */
  get reached(): boolean {
    return this.#failures < fewestFailures;
  }

  /**
   * To be called each second while the server answers.
   * @param isCurrent this node's store is what counts
   * @throws ChimeError `minio.*`
   */
  async keep(
    context: RoleContext,
    other: Other | undefined,
    isCurrent: boolean,
    limits: Limits,
  ): Promise<void> {
    const now = this.#clock.now();
    const isSettled = this.enabled === (other !== undefined) && this.#failures === 0;
    if (isSettled && now - this.#lookedAt < seldomMs) return;
    const own = ownStore(context);
    if (!other) {
      if (isCurrent) await leaveMirror(context.self.name, own, limits);
      this.enabled = false;
      this.#lookedAt = now;
      return;
    }
    // Of two that are current the first does it.
    if (isCurrent && other.isUp && !(other.said?.current && other.isFirst)) {
      await this.#ensure(context, other, limits);
    }
    const { enabled, reached } = await mirrorState(own, limits);
    this.enabled = enabled;
    this.#failures = reached || !other.isUp ? 0 : this.#failures + 1;
    this.#lookedAt = now;
  }

  async #ensure(context: RoleContext, other: Other, limits: Limits): Promise<void> {
    try {
      if (await ensureMirror(sitesOf(context, other), limits)) {
        log.info(`minio: this store and that of ${other.member.name} copy to each other`);
      }
      this.trouble = null;
    } catch (error) {
      limits.signal?.throwIfAborted();
      this.trouble = toChimeError(error).message.slice(0, 300);
    }
  }
}

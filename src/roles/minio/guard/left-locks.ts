import type { GuardDeps } from "../../guard.ts";
import { showUnit, type UnitState } from "../../../host/systemd.ts";
import { layout, nodes } from "../layout.ts";
import { releaseLocks } from "../left-behind.ts";
import { publishedBy } from "../published.ts";
import type { Store } from "../store.ts";
import { ownStore, storeOf } from "../stores.ts";
import type { Health } from "./health.ts";

type Deps = Pick<GuardDeps, "clock" | "context" | "membership">;
type Run = Pick<UnitState, "runs" | "startedAt">;
type Release = (store: Store, before: number) => Promise<void>;

/**
 * The locks of a run of this node's server that has ended: the other servers keep them for one to two minutes, and who wants the
 * same objects waits. Another node's server is asked to end them as soon as no process is there, and once more this
 * node's own, when it serves again.
 */
export class LeftLocks {
  readonly #deps: Deps;
  readonly #run: () => Promise<Run>;
  readonly #release: Release;
  /** For which state of the service another node's server was asked. */
  #asked: string | undefined;
  /** This node's own was, since it serves. */
  #isDone = false;

  constructor(deps: Deps, signal: AbortSignal, run?: () => Promise<Run>, release?: Release) {
    this.#deps = deps;
    this.#run = run ?? (() => showUnit(layout(deps.context()).product.unit));
    this.#release =
      release ??
      ((store, before) => {
        const context = deps.context();
        return releaseLocks(context, context.self.name, { store, before, signal });
      });
  }

  /** To be called often. @throws ChimeError `minio.*` */
  async look({ up, reads }: Health): Promise<void> {
    if (!reads) this.#isDone = false;
    if (!up) await this.#askAnother();
    else if (reads && !this.#isDone) {
      const { startedAt } = await this.#run();
      await this.#release(ownStore(this.#deps.context()), startedAt);
      this.#isDone = true;
    }
  }

  /** Of a run that goes on, though it starts or hangs, what it has locked is its own: the ones before it have ended. */
  async #askAnother(): Promise<void> {
    const { runs, startedAt } = await this.#run();
    const state = `${runs} ${startedAt}`;
    const store = this.#serving();
    if (this.#asked === state || !store) return;
    await this.#release(store, runs ? startedAt : this.#deps.clock.wall());
    this.#asked = state;
  }

  /** Another node's. */
  #serving(): Store | undefined {
    const context = this.#deps.context();
    const other = nodes(this.#deps.membership.members()).find(
      (member) =>
        member.name !== context.self.name &&
        member.state === "alive" &&
        publishedBy(member)?.state === "serving",
    );
    return other && storeOf(other, context);
  }
}

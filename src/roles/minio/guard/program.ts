import { showUnit, type UnitState } from "../../../host/systemd.ts";
import { notedHash } from "../../../resources/program.ts";
import { changedAt } from "../../../resources/stamp.ts";
import type { GuardDeps } from "../../guard.ts";
import { layout } from "../layout.ts";
import type { PublishedStart } from "../published.ts";
import { dropRestart, orderedRestart, runsSinceBefore } from "../restart.ts";
import { ownStore } from "../stores.ts";
import { fellowsOf, type NamedFellow } from "./fellows.ts";
import { readHealth } from "./health.ts";
import type { Cause, HeldRestart } from "./held-restart.ts";
import type { StartedWith } from "./restart-step.ts";

/** This node's server and its program. */
export interface ProgramServer {
  /** When the program came to be as it is, ms since the epoch. */
  changedAt(): Promise<number>;
  /** Its SHA-256; undefined where it came as a package. */
  hash(): Promise<string | undefined>;
  run(): Promise<Pick<UnitState, "active" | "startedAt">>;
  /** It reads: of a pool that takes enough others with the same program. */
  answers(): Promise<boolean>;
  /** The program that an `apply` here ordered all servers to be restarted with; null: none did. */
  ordered(): string | null;
  drop(): Promise<void>;
}

/**
 * Has the servers of a pool restarted at once with another program, when every node has it and an `apply` on one of them
 * ordered it.
 */
export class ProgramChange implements Cause {
  readonly name = "program";
  readonly while = "servers are restarted with another program";
  readonly #deps: Pick<GuardDeps, "context" | "membership">;
  readonly #restarts: HeldRestart;
  readonly #server: ProgramServer;
  #own: PublishedStart | undefined;
  /** The program of this time the server was started with: asking systemd each second would cost more. */
  #reachedAt = 0;

  constructor(
    deps: Pick<GuardDeps, "context" | "membership">,
    restarts: HeldRestart,
    signal: AbortSignal,
    server: ProgramServer = serverOf(deps, signal),
  ) {
    this.#deps = deps;
    this.#restarts = restarts;
    this.#server = server;
    restarts.serve(this);
  }

  /** As it is published. */
  own(): PublishedStart | undefined {
    return this.#own;
  }

  /** An agent of an older version does not tell, and is not waited for while clients are. */
  others(): NamedFellow<StartedWith>[] {
    return this.#all().filter(({ state }) => state !== undefined);
  }

  #all(): NamedFellow<StartedWith>[] {
    return fellowsOf(this.#deps, (_, said) => said?.program);
  }

  async isOld(): Promise<boolean> {
    return runsSinceBefore(await this.#server.run(), await this.#server.changedAt());
  }

  /** To be called each second. */
  async advance(): Promise<void> {
    const changed = await this.#server.changedAt();
    if (changed !== this.#reachedAt) await this.#look(changed);
    const ordered = this.#server.ordered();
    const own = this.#own;
    if (ordered === null || own === undefined) return;
    if (own.current !== ordered || own.used !== null) return this.#server.drop();
    // One that is stopped just now is started with what is there.
    if (own.old !== true) return;
    // A dead one has to be back first, for it would not be let in.
    if (this.#all().some(({ state }) => state?.current !== ordered)) return;
    await this.#restarts.begin("restart-all", this);
  }

  async #look(changed: number): Promise<void> {
    const current = await this.#server.hash();
    if (current === undefined) {
      this.#reachedAt = changed;
      return;
    }
    const run = await this.#server.run();
    const old = runsSinceBefore(run, changed);
    // Not what one on its way out answers.
    const isReached = !old && run.active === "active" && (await this.#server.answers());
    this.#own = { current, used: isReached ? current : null, old };
    if (!isReached) return;
    this.#reachedAt = changed;
    this.#restarts.reached();
  }
}

function serverOf({ context }: Pick<GuardDeps, "context">, signal: AbortSignal): ProgramServer {
  return {
    changedAt: () => changedAt([layout(context()).binary]),
    hash: () => notedHash(layout(context()).binary),
    run: () => showUnit(layout(context()).product.unit),
    answers: async () => (await readHealth(ownStore(context()), signal)).reads,
    ordered: () => orderedRestart(),
    drop: () => dropRestart(),
  };
}

import { log } from "../../../core/log.ts";
import type { ServerState } from "../engine/types.ts";
import { openWriter } from "./decide.ts";
import type { MysqlGuard } from "./guard.ts";
import { publishable } from "./look.ts";
import type { FailureWatch } from "./replication.ts";
import { compare, type Difference } from "./returning.ts";
import type { View } from "./view.ts";

/** What was written to a replica by hand is found within this, also where the writer writes nothing. */
const everyMs = 5_000;

/**
 * A replica that follows and has nothing else to do compares its transactions with the writer's, time and again. Beside
 * the guard's loop: a writer that dies meanwhile answers nothing, and is to be replaced at once.
 */
export class Comparison {
  readonly #guard: MysqlGuard;
  readonly #failure: FailureWatch;
  #at = Number.NEGATIVE_INFINITY;
  #running = false;
  #found: Difference | undefined;

  constructor(guard: MysqlGuard, failure: FailureWatch) {
    this.#guard = guard;
    this.#failure = failure;
  }

  /** @returns what only this node was found to have, where it still follows the writer that has not */
  look(view: View): Difference | undefined {
    const found = this.#found;
    this.#found = undefined;
    const { server, quarantine, rebuild } = view;
    const writer = openWriter(view);
    if (!writer || "down" in server || !server.readOnly) return undefined;
    if (quarantine !== null || rebuild !== null || publishable(view).follows !== writer.name)
      return undefined;
    if (found?.writer === writer.name) return found;
    const now = this.#guard.deps.clock.now();
    if (!this.#running && now - this.#at >= everyMs) {
      this.#at = now;
      void this.#compare(writer.name, server.replica);
    }
    return undefined;
  }

  async #compare(writer: string, replica: ServerState["replica"]): Promise<void> {
    this.#running = true;
    try {
      const found = await compare(this.#guard, writer);
      const isExtra = found.extra.length > 0;
      this.#failure.compared(found.lacks && !isExtra, replica, this.#at);
      if (!isExtra) return;
      this.#found = found;
      this.#guard.wake();
    } catch (error) {
      log.debug(`mysql: not compared with ${writer}:`, error);
    } finally {
      this.#running = false;
    }
  }
}

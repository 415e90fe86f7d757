import { log } from "../../../core/log.ts";
import { openWriter } from "./decide.ts";
import type { MysqlGuard } from "./guard.ts";
import { publishable } from "./look.ts";
import type { FailureWatch } from "./replication.ts";
import { compare } from "./returning.ts";
import type { View } from "./view.ts";

/** What was written to a replica by hand is found within this, also where the writer writes nothing. */
const everyMs = 5_000;

/** A replica that follows and has nothing else to do compares its transactions with the writer's, time and again. */
export class Comparison {
  readonly #guard: MysqlGuard;
  readonly #failure: FailureWatch;
  #at = Number.NEGATIVE_INFINITY;

  constructor(guard: MysqlGuard, failure: FailureWatch) {
    this.#guard = guard;
    this.#failure = failure;
  }

  /** @returns the writer's name where this node was put aside for what it has more */
  async look(view: View): Promise<string | undefined> {
    const { server, quarantine, rebuild } = view;
    const writer = openWriter(view);
    if (!writer || "down" in server || !server.readOnly) return undefined;
    if (quarantine !== null || rebuild !== null || publishable(view).follows !== writer.name)
      return undefined;
    const now = this.#guard.deps.clock.now();
    if (now - this.#at < everyMs) return undefined;
    this.#at = now;
    try {
      const found = await compare(this.#guard, writer.name);
      this.#failure.compared(found === "lacks", server.replica, now);
      if (found !== "extras") return undefined;
      await this.#guard.engine.stopReceiver(this.#guard.work);
      return writer.name;
    } catch (error) {
      log.debug(`mysql: not compared with ${writer.name}:`, error);
      return undefined;
    }
  }
}

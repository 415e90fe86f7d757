import type { Clock } from "../../../core/clock.ts";
import { log } from "../../../core/log.ts";
import type { Session } from "../client.ts";
import type { Engine } from "../engine/types.ts";
import type { Decision, View } from "./view.ts";

/** An acknowledgement takes a millisecond; after this long it is missed. */
const missedMs = 500;

/** A commit that was not acknowledged either is followed by another one, not by many. */
const everyMs = 1_000;

/**
 * Commits something when a replica that is there should acknowledge and has no reason to: a replica that connects again
 * is sent only what it lacks, and acknowledges only what it is sent (MySQL 9.7: a commit that it had received just before
 * its connection broke waits until another one is acknowledged, and on a quiet server semi-sync stays off). An
 * acknowledgement of the later commit holds for all before it, for only who has received these is sent that.
 */
export class Nudge {
  readonly #clock: Pick<Clock, "now">;
  readonly #engine: Pick<Engine, "nudge">;
  readonly #session: Session;
  #at = Number.NEGATIVE_INFINITY;

  constructor(clock: Pick<Clock, "now">, engine: Pick<Engine, "nudge">, session: Session) {
    this.#clock = clock;
    this.#engine = engine;
    this.#session = session;
  }

  look(view: View, { eligible }: Decision): void {
    if (!this.#engine.nudge || !eligible || view.stopping || !isMissing(view)) return;
    if (this.#clock.now() - this.#at < everyMs) return;
    this.#at = this.#clock.now();
    // Not waited for: it may wait itself.
    this.#engine.nudge(this.#session).then(
      () => log.info("mysql: a commit of our own, for the replica to acknowledge"),
      (error: Error) => log.debug(`mysql: nudge: ${error.message}`),
    );
  }

  stop(): void {
    this.#session.close();
  }
}

/** Pure: whether the writer waits for a word that a replica which follows it will not say by itself. */
function isMissing({ server, peers, self, stuckMs }: View): boolean {
  if ("down" in server || server.readOnly) return false;
  const { enabled, active, replicas, waiting } = server.source;
  const follows = peers.some(
    ({ state, said }) => state === "alive" && said?.follows === self && said.semi_sync,
  );
  if (!enabled || replicas === 0 || !follows) return false;
  return active ? waiting > 0 && stuckMs >= missedMs : true;
}

import type { ServerState } from "../engine/types.ts";

/** A replica begins anew within a second where its source restarts or a cut heals. */
const failingMs = 3_000;

/** Replication that fails time and again looks well for a moment after each new beginning. */
const wellMs = 3_000;

/** A source may have to look through a large log before it sends anything. */
const muteMs = 20_000;
export const nothingArrives = "nothing arrives of what it has more";

type Replica = ServerState["replica"];

/** Whether replication from a writer that is open goes on failing, and with which words of the server. */
export class FailureWatch {
  #error: string | null = null;
  #since = 0;
  #seen = 0;
  #mute: { reading: string; since: number } | undefined;

  /** @param replica undefined where there is nothing to replicate from */
  look(replica: Replica | undefined, now: number): string | null {
    if (replica === undefined) this.#error = null;
    else if (replica.error !== null && (replica.receiver !== "running" || !replica.applier)) {
      if (this.#error === null) this.#since = now;
      this.#error = replica.error;
      this.#seen = now;
    } else if (now - this.#seen >= wellMs) this.#error = null;
    if (this.#mute?.reading !== replica?.reading) this.#mute = undefined;
    if (this.#error !== null && now - this.#since >= failingMs) return this.#error;
    return this.#mute && now - this.#mute.since >= muteMs ? nothingArrives : null;
  }

  /**
   * To be told, from time to time, whether the writer has what this node lacks. MariaDB 10.11 tells a semi-synchronous
   * replica of no error that it meets in its binary log: it hangs until the replica connects anew, and again.
   */
  compared(lacks: boolean, { pending, reading }: Replica, now: number): void {
    if (!lacks || pending) this.#mute = undefined;
    else this.#mute ??= { reading, since: now };
  }
}

import { readdir, readFile } from "node:fs/promises";

/** What a thread waits for: state and how often it has waited before. */
export interface Waiting {
  isUninterruptible: boolean;
  waits: string;
}

/** Pure: `/proc/PID/task/TID/status` (proc_pid_status(5)). */
export function readWaiting(text: string): Waiting {
  return {
    isUninterruptible: /^State:\s+D/m.test(text),
    waits: /^voluntary_ctxt_switches:\s+(\d+)/m.exec(text)?.[1] ?? "",
  };
}

const lookEveryMs = 200;

/**
 * Finds out that a process waits for a disk that does not come back: a thread that is in one and the same
 * uninterruptible wait. Its other threads may answer questions all the while. Writes nothing, for that would be stuck, too.
 */
export class StuckThreads {
  /** By thread, its present wait and since when, ms. */
  #waits = new Map<string, { waits: string; since: number }>();
  #lookedAt = Number.NEGATIVE_INFINITY;

  /**
   * How long the longest wait has lasted, ms. May be asked as often as one likes: a server has a thread for each of its
   * clients, so that they are read every 200 ms at most.
   */
  async look(pid: number, now: number): Promise<number> {
    if (now - this.#lookedAt >= lookEveryMs) {
      this.#lookedAt = now;
      await this.#read(pid, now);
    }
    return Math.max(0, ...[...this.#waits.values()].map(({ since }) => this.#lookedAt - since));
  }

  async #read(pid: number, now: number): Promise<void> {
    const directory = `/proc/${pid}/task`;
    const threads = await readdir(directory).catch(() => []);
    const seen = new Map<string, { waits: string; since: number }>();
    await Promise.all(
      threads.map(async (thread) => {
        const text = await readFile(`${directory}/${thread}/status`, "utf8").catch(() => "");
        const { isUninterruptible, waits } = readWaiting(text);
        if (!isUninterruptible) return;
        const before = this.#waits.get(thread);
        seen.set(thread, before?.waits === waits ? before : { waits, since: now });
      }),
    );
    this.#waits = seen;
  }
}

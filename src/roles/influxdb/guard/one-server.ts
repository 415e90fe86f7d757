import type { Clock } from "../../../core/clock.ts";

/** What a node is at: its server deletes, or is to, or neither. */
export const stages = ["idle", "trying", "deleting"] as const;
export type Stage = (typeof stages)[number];

/** The other node. */
export interface OtherServer {
  name: string;
  stage(): Promise<Stage>;
}

/** How often the other node is asked whether its server goes on, ms. */
export const againMs = 1_000;

/**
 * One server deletes at a time: two that delete something of the same series may both hide a point that is written to it
 * meanwhile [tried, of one], and nobody has it then. Each node says what it is at before it asks the other one. The one whose
 * name sorts first waits for what is being deleted; the other one, which takes back that it is deleting, for what is to be
 * deleted as well: so no two go, in whatever order they hear of each other, and one of them does.
 */
export class OneServer {
  readonly #clock: Pick<Clock, "sleep">;
  #stage: Stage = "idle";

  constructor(clock: Pick<Clock, "sleep">) {
    this.#clock = clock;
  }

  get stage(): Stage {
    return this.#stage;
  }

  /** Does this when the other one's server does not delete. A node that does not answer is not waited for. */
  async alone<T>(
    self: string,
    other: OtherServer | undefined,
    work: () => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    try {
      if (other) await this.#untilItMay(self < other.name, other, signal);
      this.#stage = "deleting";
      return await work();
    } finally {
      this.#stage = "idle";
    }
  }

  async #untilItMay(isFirst: boolean, other: OtherServer, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      this.#stage = isFirst ? "trying" : "deleting";
      const there = await other.stage().catch((): Stage => "idle");
      if (isFirst ? there !== "deleting" : there === "idle") return;
      this.#stage = "trying";
      await this.#clock.sleep(againMs, signal);
    }
  }
}

import type { Clock } from "../../../core/clock.ts";
import { refused } from "../../../core/errors.ts";

/** A repair that has not said for so long that it goes on is over: it was killed, ms. */
const leaseMs = 15_000;

/** What is under way on a node. */
export interface UnderWay {
  repairing: boolean;
  deleting: boolean;
}

/** The other node: what is under way there. */
interface Other {
  name: string;
  underWay(): Promise<UnderWay>;
}

/**
 * Repairs by hand and deletions exclude each other on both nodes: what a repair has read, it would give back to a server that
 * has just deleted it. Each says first that it begins, and asks then: of two at the same time at least one is refused.
 */
export class Exclusion {
  readonly #clock: Pick<Clock, "now">;
  readonly #self: () => string;
  #repairUntil = Number.NEGATIVE_INFINITY;
  #deletions = 0;

  /** @param self the name of this node */
  constructor(clock: Pick<Clock, "now">, self: () => string) {
    this.#clock = clock;
    this.#self = self;
  }

  get underWay(): UnderWay {
    return { repairing: this.#clock.now() < this.#repairUntil, deleting: this.#deletions > 0 };
  }

  /** A repair begins on this node. The other one has to answer. @throws ChimeError `influxdb.deleting` (exit 3), and of the call */
  async repair(other: Other | undefined): Promise<void> {
    this.goOn();
    try {
      if (this.underWay.deleting) throw deleting(this.#self());
      if ((await other?.underWay())?.deleting) throw deleting(other?.name ?? "");
    } catch (error) {
      this.repaired();
      throw error;
    }
  }

  /** It goes on. To be said more often than its lease ends. */
  goOn(): void {
    this.#repairUntil = this.#clock.now() + leaseMs;
  }

  repaired(): void {
    this.#repairUntil = Number.NEGATIVE_INFINITY;
  }

  /** A node that is away repairs nothing. @throws ChimeError `influxdb.repairing` (exit 3), and of the work */
  async delete<T>(other: Other | undefined, work: () => Promise<T>): Promise<T> {
    this.#deletions++;
    try {
      if (this.underWay.repairing) throw repairing(this.#self());
      const there = await other?.underWay().catch(() => undefined);
      if (there?.repairing) throw repairing(other?.name ?? "");
      return await work();
    } finally {
      this.#deletions--;
    }
  }
}

function repairing(node: string): Error {
  return refused(
    "influxdb.repairing",
    `chime-node influxdb repair is under way on ${node}: it would bring back what is deleted meanwhile`,
    { node, remedy: `wait for its end, or end it on ${node}, then run this again` },
  );
}

function deleting(node: string): Error {
  return refused(
    "influxdb.deleting",
    `chime-node influxdb delete is under way on ${node}: a repair would bring back what it deletes`,
    { node, remedy: "wait for its end, then run this again" },
  );
}

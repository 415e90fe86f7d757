import type { Clock } from "../../../core/clock.ts";
import { refused, toChimeError } from "../../../core/errors.ts";

/** A repair that has not said for so long that it goes on is over: it was killed, ms. */
const leaseMs = 15_000;

/** Codes of calls that find nobody: no agent, or one whose guard does not run, without which nothing is repaired by hand. */
const nobody = new Set(["peer.unreachable", "peer.no_method", "role.not_here"]);

export const findsNobody = (error: unknown): boolean => nobody.has(toChimeError(error).code);

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
  /** Repairs that are being prepared, which takes as long as it takes. */
  #preparing = 0;
  #deletions = 0;

  /** @param self the name of this node */
  constructor(clock: Pick<Clock, "now">, self: () => string) {
    this.#clock = clock;
    this.#self = self;
  }

  get underWay(): UnderWay {
    const isRepaired = this.#preparing > 0 || this.#isLeased;
    return { repairing: isRepaired, deleting: this.#deletions > 0 };
  }

  get #isLeased(): boolean {
    return this.#clock.now() < this.#repairUntil;
  }

  /**
   * A repair begins on this node, when `prepare` is done. The other one has to answer.
   * @throws ChimeError `influxdb.deleting` (exit 3), of the call, and of `prepare`
   */
  async repair<T>(other: Other | undefined, prepare: () => Promise<T>): Promise<T> {
    this.#preparing++;
    try {
      if (this.underWay.deleting) throw deleting(this.#self());
      if ((await other?.underWay())?.deleting) throw deleting(other?.name ?? "");
      const prepared = await prepare();
      this.#repairUntil = this.#clock.now() + leaseMs;
      return prepared;
    } finally {
      this.#preparing--;
    }
  }

  /**
   * It goes on. To be said more often than its lease ends: after that others may have deleted what it has read.
   * @throws ChimeError `influxdb.repair_late` (exit 3)
   */
  goOn(): void {
    if (!this.#isLeased) throw late(this.#self());
    this.#repairUntil = this.#clock.now() + leaseMs;
  }

  repaired(): void {
    this.#repairUntil = Number.NEGATIVE_INFINITY;
  }

  /**
   * A node that is away repairs nothing; one that does not answer may.
   * @throws ChimeError `influxdb.repairing`, `influxdb.repair_unknown` (exit 3), and of the work
   */
  async delete<T>(other: Other | undefined, work: () => Promise<T>): Promise<T> {
    this.#deletions++;
    try {
      if (this.underWay.repairing) throw repairing(this.#self());
      const there = await other?.underWay().catch((error: unknown) => unlessAway(other.name, error));
      if (there?.repairing) throw repairing(other?.name ?? "");
      return await work();
    } finally {
      this.#deletions--;
    }
  }
}

function unlessAway(node: string, error: unknown): undefined {
  if (findsNobody(error)) return undefined;
  const { message } = toChimeError(error);
  throw refused(
    "influxdb.repair_unknown",
    `${node} does not say whether chime-node influxdb repair is under way there: ${message}`,
    { node, remedy: "run this again: nothing was deleted" },
  );
}

function late(node: string): Error {
  return refused(
    "influxdb.repair_late",
    `this repair did not say for ${leaseMs / 1_000} s that it goes on: what it has read may be deleted meanwhile`,
    { node, remedy: "run it again: it goes on where it was" },
  );
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

import type { Clock } from "../../../core/clock.ts";
import { failed, toChimeError } from "../../../core/errors.ts";
import { paths } from "../../../core/paths.ts";
import type { Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import { FillRecord } from "../gap/record.ts";
import { compareTwins, repairTwins } from "../gap/repair.ts";
import { allTime, type Range } from "../gap/time.ts";
import type { Gap } from "../gap/windows.ts";
import { probeBucket } from "../layout.ts";
import type { Outage } from "../outages.ts";
import { levelBuckets } from "./level-buckets.ts";

/** Clocks of clients, and points that were held back, ms: so much before and after an outage is compared, too. */
const marginMs = 60_000;
/** A client writes to one server after the other, ms. */
const underWayMs = 3_000;
/** Of outages that were not longer all values are compared, not only how many there are: each is read on both. */
const contentsMs = 600_000;
/** Where nobody writes what is under way. */
const futureMs = 3_600_000;
/** What could not be filled is tried again after so long, ms; other outages meanwhile. */
const againMs = 30_000;

/** Two servers, and who is asked which: `mine` was away. */
export interface Sides {
  mine: Server;
  other: Server;
  /** The other one has everything: of two values for one field of a point its counts. */
  isOtherWhole: boolean;
}

/** What became of an outage. */
export interface Settled {
  /** Up to where nothing is missing any more. */
  done: Outage[];
  /** What turned out to be missing here, and what is to be compared later. */
  more: Outage[];
  /** Points that this node's server was given. */
  points: number;
}

/** Finds and fills what a server may lack, one outage at a time. */
export class Filler {
  readonly #clock: Clock;
  /** Until when each is left alone, by its beginning, on the monotonic clock. */
  readonly #later = new Map<number, number>();
  /** What is under way. */
  #run: { halt: AbortController; ended: Promise<unknown> } | undefined;
  #done = 0;
  #trouble: string | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something is being compared or filled. */
  get busy(): boolean {
    return this.#run !== undefined;
  }

  /** How much of the gap is filled, 0 to 1, in twentieths. */
  get done(): number {
    return Math.floor(this.#done * 20) / 20;
  }

  /** Why it does not come to an end. */
  get trouble(): string | null {
    return this.#trouble;
  }

  /** Which outage is the next: what is sure comes first, the newest first; undefined: none can be compared yet. */
  next(outages: readonly Outage[]): Outage | undefined {
    const [wall, now] = [this.#clock.wall(), this.#clock.now()];
    const due = outages.filter(
      ({ from, to }) => to !== null && to + underWayMs <= wall && now >= (this.#later.get(from) ?? 0),
    );
    return due.findLast(({ sure }) => sure) ?? due.at(-1);
  }

  /** Ends what is under way, and waits for its end; it is begun anew. */
  async halt(): Promise<void> {
    this.#run?.halt.abort();
    await this.#run?.ended;
  }

  /**
   * Gives both what the other one has of the time of an outage, and proves it. What only turns out to be missing is no more
   * than said: this node has to know that before it is filled. Undefined: it was halted.
   * @throws ChimeError `influxdb.*`
   */
  async settle(
    outage: Outage,
    prepare: () => Promise<Sides>,
    { signal, ...limits }: Limits,
  ): Promise<Settled | undefined> {
    const halt = new AbortController();
    const signals = signal ? [signal, halt.signal] : [halt.signal];
    const settling = this.#settle(outage, prepare, { ...limits, signal: AbortSignal.any(signals) });
    this.#run = { halt, ended: settling.catch(() => undefined) };
    try {
      return await settling;
    } catch (error) {
      signal?.throwIfAborted();
      if (halt.signal.aborted) return undefined;
      this.#trouble = toChimeError(error).message.slice(0, 300);
      this.#later.set(outage.from, this.#clock.now() + againMs);
      throw error;
    } finally {
      this.#run = undefined;
    }
  }

  async #settle(outage: Outage, prepare: () => Promise<Sides>, limits: Limits): Promise<Settled> {
    this.#done = 0;
    const sides = await prepare();
    await levelBuckets(sides.mine, sides.other, limits);
    const now = this.#clock.wall();
    const until = Math.min((outage.to ?? now) + marginMs, now - underWayMs);
    let points = 0;
    for (const range of rangesOf(outage, until, now)) {
      const missing = outage.sure ? [] : await this.#missing(range, sides, limits);
      if (missing.length > 0) return { done: [], more: missing, points };
      points += await this.#fill(range, outage, sides, limits);
    }
    this.#trouble = null;
    this.#later.delete(outage.from);
    return { done: [outage], more: later(outage, until), points };
  }

  /** What this node's server lacks there. */
  async #missing(range: Range, { mine, other }: Sides, limits: Limits): Promise<Outage[]> {
    const options = { limits, ignored, clock: this.#clock, contents: false };
    const gaps = await compareTwins(mine, other, range, options);
    return gaps
      .filter(({ missing }) => missing.mine > 0)
      .map(({ from, to }) => ({ from: Math.max(0, from), to: Math.min(to, range.to), sure: true }));
  }

  /** @returns points that this node's server was given @throws ChimeError `influxdb.differ` */
  async #fill(range: Range, outage: Outage, sides: Sides, limits: Limits): Promise<number> {
    const { mine, other, isOtherWhole } = sides;
    const contents = outage.sure && range.to - range.from <= contentsMs;
    const options = { limits, ignored, clock: this.#clock };
    const gaps = await compareTwins(mine, other, range, { ...options, contents: false });
    if (gaps.length === 0 && !contents) return 0;
    const total = gaps.reduce((sum, { missing }) => sum + missing.mine + missing.other, 0);
    const { filled, left } = await repairTwins(mine, other, range, {
      ...options,
      contents,
      isGentle: true,
      authority: outage.sure && isOtherWhole ? "other" : undefined,
      record: await FillRecord.load(paths.influxdbFill),
      filling: ({ written }) => {
        this.#done = Math.min(1, (written.mine + written.other) / Math.max(1, total));
      },
    });
    if (left.length > 0) throw differ(left, filled.why);
    return filled.written.mine;
  }
}

const ignored = [probeBucket.name];

/** Everything there is, where nobody knows since when; else the outage and the time around it. Pure. */
function rangesOf({ from }: Outage, until: number, now: number): Range[] {
  if (from > 0) return [{ from: from - marginMs, to: until }];
  return [
    { from: allTime.from, to: until },
    { from: now + futureMs, to: allTime.to },
  ];
}

/** Points of clients whose clocks are ahead come after the end of an outage: that is compared when it is over. Pure. */
function later({ to, sure }: Outage, until: number): Outage[] {
  const end = (to ?? until) + marginMs;
  return sure && until < end ? [{ from: until, to: end, sure: false }] : [];
}

function differ(left: readonly Gap[], why: string | undefined): Error {
  const [first] = left;
  const because = why === undefined ? "each has another value" : why;
  return failed(
    "influxdb.differ",
    `${left.length} parts still differ, one of ${first?.measurement} in ${first?.bucket}: ${because}`,
    "docs/influxdb.md",
  );
}

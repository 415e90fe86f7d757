import type { Clock } from "../../../core/clock.ts";
import { failed, toChimeError, type ChimeError } from "../../../core/errors.ts";
import { paths } from "../../../core/paths.ts";
import { oneLine, type Limits } from "../../http.ts";
import type { Server } from "../client.ts";
import type { Withheld } from "../gap/deleted.ts";
import type { Care } from "../gap/pace.ts";
import { FillRecord } from "../gap/record.ts";
import { compareTwins, repairTwins, type Repaired } from "../gap/repair.ts";
import { unaskable } from "../gap/schema.ts";
import type { Held } from "../gap/sides.ts";
import type { Range } from "../gap/time.ts";
import type { Gap } from "../gap/windows.ts";
import { probeBucket } from "../layout.ts";
import {
  importance,
  isAlike,
  isPast,
  together,
  type Past,
  type Importance,
  type Outage,
} from "../outages.ts";
import { whyWithheld } from "./refused.ts";
import {
  contentsMs,
  contentsOf,
  everythingOf,
  isOfAllTimes,
  isWithheld,
  lackedIn,
  later,
  marginMs,
  mostSliceMs,
  ofAllTimes,
  older,
  rangesOf,
  sliceMs,
  sliceOf,
  underWayMs,
  withheldOf,
  type Waiting,
} from "./times.ts";

/** What could not be filled is tried again after so long, ms; other outages meanwhile. */
const againMs = 30_000;
/** The same, where a server was only not there: it is being started, or was cut off for a moment. */
const awayMs = 2_000;
const away = new Set(["influxdb.unreachable", "influxdb.starting"]);

/** Two servers, and who is asked which: `mine` was away. */
export interface Sides {
  mine: Server;
  other: Server;
  /** The other one has everything: of two values for one field of a point its counts. */
  isOtherWhole: boolean;
  /** What is not to be compared yet. */
  withheld: readonly Withheld[];
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

/** What came of a range of time, and the buckets that hold it up. */
interface Ended {
  missing: Outage[];
  points: number;
  held: Held[];
}

/** Finds and fills what a server may lack, one outage at a time. */
export class Filler {
  readonly #clock: Clock;
  readonly #recordPath: string;
  /** Those that came to no end: until when each is left alone, on the monotonic clock, and why. */
  readonly #later = new Map<string, { until: number; why: ChimeError }>();
  /** What is under way. */
  #run: { halt: AbortController; ended: Promise<unknown>; importance: Importance } | undefined;
  #done = 0;
  /** How much of all times is compared next, ms. */
  #sliceMs = sliceMs;
  /** What the record said last. */
  #outages: readonly Outage[] = [];

  constructor(clock: Clock, recordPath: string = paths.influxdbFill) {
    this.#clock = clock;
    this.#recordPath = recordPath;
  }

  /** How important what is being compared or filled is; undefined: nothing is. */
  get importance(): Importance | undefined {
    return this.#run?.importance;
  }

  /** How much of the gap is filled, 0 to 1, in twentieths. */
  get done(): number {
    return Math.floor(this.#done * 20) / 20;
  }

  /** Why one of them does not come to an end: of what is known to be missing, where anything is. */
  get trouble(): ChimeError | undefined {
    const sure = this.#outages.filter((one) => one.sure);
    const told = sure.length > 0 ? sure : this.#outages;
    return told.map((one) => this.#later.get(keyOf(one))?.why).find((why) => why !== undefined);
  }

  /** Which outage is the next: what is sure comes first, then what nobody has looked at, the newest first, with those beside it; undefined: none can be compared yet. */
  next(outages: readonly Outage[]): Past | undefined {
    const [wall, now] = [this.#clock.wall(), this.#clock.now()];
    this.#outages = outages;
    const known = new Set(outages.map(keyOf));
    for (const key of this.#later.keys()) if (!known.has(key)) this.#later.delete(key);
    const isLeft = (one: Outage) => now < (this.#later.get(keyOf(one))?.until ?? 0);
    const isOver = ({ to, hint }: Past) => hint === "old" || to + underWayMs <= wall;
    const due = outages.filter(isPast).filter((one) => isOver(one) && !isLeft(one));
    const next = due.toSorted((a, b) => importance(a) - importance(b)).at(-1);
    return next && together(next, due, { closeMs: marginMs, mostMs: contentsMs });
  }

  /**
   * Ends what is under way where something more important is to be done: it is begun anew.
   * @param theirs what the other one does
   */
  giveWay(outages: readonly Outage[], theirs: Importance = 0): void {
    const next = this.next(outages);
    const most = Math.max(theirs, next ? importance(next) : 0);
    if (this.#run && this.#run.importance < most) this.#run.halt.abort();
  }

  /**
   * Ends what is under way, and waits for its end, which takes as long as a write may: nothing of it comes to a server any more.
   * It is begun anew.
   */
  async halt(): Promise<void> {
    this.#run?.halt.abort();
    await this.#run?.ended;
  }

  /**
   * Gives both what the other one has of the time of an outage, and proves it. What only turns out to be missing is no more
   * than said: this node has to know that before it is filled. A bucket that cannot be compared, or that still differs, is
   * left to be done alone. Points of all times are looked for a slice at a time, the newest first. Undefined: it was halted.
   * @throws ChimeError `influxdb.*`
   */
  async settle(
    outage: Outage,
    prepare: () => Promise<Sides>,
    { signal, ...limits }: Limits,
  ): Promise<Settled | undefined> {
    const halt = new AbortController();
    const signals = signal ? [signal, halt.signal] : [halt.signal];
    const ending = { signal: AbortSignal.any(signals), abandon: signal };
    const settling = this.#settle(outage, prepare, { ...limits, ...ending });
    this.#run = { halt, ended: settling.catch(() => undefined), importance: importance(outage) };
    try {
      const { waiting, ...settled } = await settling;
      for (const key of this.#keysOf(outage)) this.#later.delete(key);
      for (const one of waiting) {
        this.#later.set(keyOf(one), { until: this.#clock.now() + againMs, why: whyWithheld(one) });
      }
      return settled;
    } catch (error) {
      signal?.throwIfAborted();
      if (halt.signal.aborted) return undefined;
      const why = toChimeError(error);
      const until = this.#clock.now() + (away.has(why.code) ? awayMs : againMs);
      for (const key of this.#keysOf(outage)) this.#later.set(key, { until, why });
      throw error;
    } finally {
      this.#run = undefined;
    }
  }

  /** Of all those that are settled together with it. */
  #keysOf(outage: Outage): string[] {
    const parts = this.#outages.filter(
      (one) =>
        isAlike(one, outage) && outage.from <= one.from && (one.to ?? Infinity) <= (outage.to ?? Infinity),
    );
    return [outage, ...parts].map(keyOf);
  }

  async #settle(
    outage: Outage,
    prepare: () => Promise<Sides>,
    limits: Care & { signal: AbortSignal },
  ): Promise<Settled & { waiting: Waiting[] }> {
    this.#done = 0;
    const sides = await unlessEnded(prepare(), limits.signal);
    // Nothing else waits for a deletion any more either, nor is that why.
    for (const [key, { why }] of this.#later) {
      if (why.code === "influxdb.delete_pending") this.#later.delete(key);
    }
    const now = this.#clock.wall();
    const past: Past = { ...outage, to: outage.to ?? now };
    if (isWithheld(past, sides.withheld)) return { done: [], more: [], waiting: [past], points: 0 };
    await this.#requireNames(outage, sides, limits);
    const until = Math.min((outage.to ?? now) + marginMs, now - underWayMs);
    const slice = isOfAllTimes(outage) ? sliceOf(outage, now, this.#sliceMs) : undefined;
    const next = Math.min(2 * this.#sliceMs, mostSliceMs);
    this.#sliceMs = sliceMs;
    let isEmpty = true;
    const seen = () => (isEmpty = false);
    let points = 0;
    const held = new Map<string, ChimeError>();
    for (const range of slice ? [slice] : rangesOf(outage, until, now)) {
      const ended = await this.#fill(range, outage, sides, { limits, seen });
      points += ended.points;
      if (ended.missing.length > 0) return { done: [], more: ended.missing, waiting: [], points };
      for (const { bucket, why } of ended.held) held.set(bucket, why);
    }
    for (const [bucket, why] of held) if (bucket === outage.bucket) throw why;
    if (slice && isEmpty) this.#sliceMs = next;
    const compared = slice ? { ...outage, from: Math.max(outage.from, slice.from), to: slice.to } : past;
    const waiting = withheldOf(compared, sides.withheld);
    const alone = [...held].flatMap(([bucket, { code }]) => [
      { ...compared, bucket },
      // What one of them keeps for a shorter time it drops, whenever it was: the other one still has it.
      ...(code === "influxdb.retention_differs" ? [everythingOf(bucket, now)] : []),
    ]);
    const more = slice ? older(outage, slice) : [...later(outage, until), ...ofAllTimes(outage)];
    return { done: [outage], more: [...waiting, ...alone, ...more], waiting, points };
  }

  /** All else of a bucket that is held for a name was compared before: it waits for those that may be asked for. */
  async #requireNames(outage: Outage, { mine, other }: Sides, limits: Care): Promise<void> {
    if (this.#later.get(keyOf(outage))?.why.code !== unaskable) return;
    const options = { limits, ignored, only: outage.bucket, clock: this.#clock, isGentle: false };
    const { held } = await compareTwins(mine, other, noTime, { ...options, contents: false });
    if (held[0]) throw held[0].why;
  }

  /** @returns points that this node's server was given, or what it lacks, where nobody knew of it */
  async #fill(
    range: Range,
    outage: Outage,
    { mine, other, isOtherWhole, withheld }: Sides,
    { limits, seen }: { limits: Care; seen: () => void },
  ): Promise<Ended> {
    const contents = contentsOf(outage, range);
    const [only, clock] = [outage.bucket, this.#clock];
    const options = { limits, ignored, only, clock, isGentle: true, seen, withheld };
    const { gaps, held } = await compareTwins(mine, other, range, { ...options, contents: false });
    const missing = outage.sure
      ? []
      : lackedIn(
          gaps.filter((gap) => !this.#isKnown(gap)),
          outage,
          { to: range.to, now: this.#clock.wall() },
        );
    if (missing.length > 0 || (gaps.length === 0 && !contents)) return { missing, points: 0, held };
    const total = gaps.reduce((sum, gap) => sum + gap.missing.mine + gap.missing.other, 0);
    const repaired = await repairTwins(mine, other, range, {
      ...options,
      contents,
      authority: outage.sure && isOtherWhole ? "other" : undefined,
      record: await FillRecord.load(this.#recordPath),
      filling: ({ values }) => {
        this.#done = Math.min(1, values / Math.max(1, total));
      },
    });
    const { filled } = repaired;
    return { missing, points: filled.written.mine, held: [...repaired.held, ...differing(repaired)] };
  }

  /** It was tried already, and holds up its bucket: told anew each time, nothing else would ever be compared. */
  #isKnown({ bucket, from, to }: Gap): boolean {
    return this.#outages.some(
      (one) =>
        one.sure && one.bucket === bucket && one.from <= Math.max(0, from) && to <= (one.to ?? Infinity),
    );
  }
}

const ignored = [probeBucket.name];
const noTime: Range = { from: 0, to: 0 };

/**
 * What is prepared goes on by itself: it asks the other node, which may be waiting for the end of this filling before it
 * answers, as this node may be for the other one's. @throws the signal's reason
 */
async function unlessEnded<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const ended = Promise.withResolvers<never>();
  const end = () => ended.reject(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  if (signal.aborted) end();
  try {
    return await Promise.race([work, ended.promise]);
  } finally {
    signal.removeEventListener("abort", end);
  }
}

const keyOf = ({ from, sure, hint, bucket }: Outage): string => JSON.stringify([from, sure, hint, bucket]);

/** What is filled, and does not hold the same all the same. Pure. */
function differing({ left, filled: { why } }: Pick<Repaired, "left" | "filled">): Held[] {
  const byBucket = Map.groupBy(left, ({ bucket }) => bucket);
  return [...byBucket].map(([bucket, parts]) => ({
    bucket,
    why: failed(
      "influxdb.differ",
      `${parts.length} parts of bucket ${bucket} still differ, one of ${oneLine(parts[0]?.measurement ?? "")}: ${why ?? "each has another value"}`,
      `chime-node influxdb compare --contents says where; influxdb repair --prefer says whose value counts`,
    ),
  }));
}

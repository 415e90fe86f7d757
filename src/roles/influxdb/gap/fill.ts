import type { Clock } from "../../../core/clock.ts";
import type { Window } from "./counts.ts";
import { differences, type Rows } from "./diff.ts";
import { planWindows } from "./plan.ts";
import { readRows, type Block } from "./read.ts";
import type { FillRecord } from "./record.ts";
import { unsignedFields, type Measurement } from "./schema.ts";
import { which, type Pair, type Which } from "./sides.ts";
import type { Range } from "./time.ts";
import { Writer } from "./writer.ts";
import { inTurn, type Care } from "./pace.ts";

export interface FillOptions {
  limits: Care;
  clock: Clock;
  /** Whose value counts where both have one for the same field of the same point; without, both keep theirs. */
  authority: Which | undefined;
  record: FillRecord;
  /** Called after each window. */
  progress?: (filled: Filled) => void;
}

/** What a filling did. */
export interface Filled {
  /** Points that were compared. */
  points: number;
  /** Values that one side alone had: what a gap's missing ones are counted in. */
  values: number;
  /** Lines that each was given. */
  written: Record<Which, number>;
  /** Points that it did not take, or that could not be written to it. */
  refused: Record<Which, number>;
  /** Why, as a rule in the server's words. */
  why: string | undefined;
  /** Values that both had, and that differed. */
  conflicts: number;
}

export function nothingFilled(): Filled {
  return {
    points: 0,
    values: 0,
    written: { mine: 0, other: 0 },
    refused: { mine: 0, other: 0 },
    why: undefined,
    conflicts: 0,
  };
}

/**
 * Gives each side what the other one has of a measurement in a range, window by window, newest first; the record says after
 * each that it is done, and those it has are passed over. Doing it again changes nothing.
 * @param filled what is added to
 * @throws ChimeError `influxdb.*`
 */
export async function fill(
  pair: Pair,
  measurement: Measurement,
  range: Range,
  options: FillOptions,
  filled: Filled = nothingFilled(),
): Promise<Filled> {
  for await (const window of planWindows(pair, measurement, range, options.limits)) {
    const done = { bucket: pair.name, measurement: measurement.name, from: window.from, to: window.to };
    if (options.record.has(done)) continue;
    await fillWindow(pair, measurement, window, options, filled);
    await options.record.add(done);
    options.progress?.(filled);
  }
  return filled;
}

async function fillWindow(
  pair: Pair,
  measurement: Measurement,
  window: Window,
  { limits, clock, authority }: FillOptions,
  filled: Filled,
): Promise<void> {
  const read = (one: Which) => readRows(pair[one], measurement.name, window, limits);
  const answers = { mine: read("mine"), other: read("other") };
  const sizeOf = (blocks: readonly Block[]) => (blocks.length > 0 ? window.values : 0);
  const rows = async (one: Which): Promise<Rows> => ({
    unsigned: await unsignedFields(pair[one], measurement.name, measurement[one], window, limits),
    // One query at a time, as far as the answers are small enough to be kept.
    blocks: limits.pace
      ? each(await inTurn(limits, "reading", sizeOf, () => firstOf(answers[one])), answers[one])
      : answers[one],
  });
  const writer = (one: Which) => new Writer(pair[one], { limits, clock });
  const writers = { mine: writer("mine"), other: writer("other") };
  try {
    const [mine, other] = await Promise.all([rows("mine"), rows("other")]);
    for await (const found of differences(measurement.name, mine, other, authority)) {
      filled.points += found.points;
      filled.values += found.values;
      filled.conflicts += found.conflicts;
      for (const one of which) writers[one].noteUnsayable(found.unsayable[one]);
      await Promise.all(which.map((one) => writers[one].add(found[one])));
    }
    await Promise.all(which.map((one) => writers[one].flush()));
  } finally {
    await Promise.all(which.map((one) => writers[one].answered()));
    await Promise.all(which.map((one) => answers[one].return(undefined)));
    for (const one of which) {
      filled.written[one] += writers[one].written;
      filled.refused[one] += writers[one].refused;
      filled.why = writers[one].why ?? filled.why;
    }
  }
}

/** So many places for values are kept of an answer: a row has one for each field of its measurement, also where it has no value. */
const mostKept = 200_000;

/** All that an answer holds, or as much as is kept. */
async function firstOf(answer: AsyncGenerator<Block>): Promise<Block[]> {
  const blocks: Block[] = [];
  for (let places = 0; places < mostKept;) {
    const { value, done } = await answer.next();
    if (done) break;
    blocks.push(value);
    places += value.rows.length * (value.fields.length + 1);
  }
  return blocks;
}

async function* each(first: readonly Block[], rest: AsyncGenerator<Block>): AsyncGenerator<Block, void> {
  yield* first;
  yield* rest;
}

import type { Limits } from "../client.ts";
import { countRange, countWindows, type Window } from "./counts.ts";
import type { Measurement } from "./schema.ts";
import { shardLengths, type Pair } from "./sides.ts";
import { byShard, halves, type Range } from "./time.ts";

/** One window is compared and filled as a whole: so much work is lost at most when it is killed. */
const mostPoints = 60_000;

/** Of a range that is longer than so many shards it is asked first in which weeks there is anything. */
const fewShards = 16;
const weekMs = 604_800_000;

/**
 * A range in windows that lie in one shard each and hold no more points than that, newest first: what is asked for most
 * comes first. Those where neither has anything are left out. Points of one ms are not parted.
 * @throws ChimeError `influxdb.*`
 */
export async function* planWindows(
  pair: Pair,
  measurement: Measurement,
  range: Range,
  limits: Limits,
): AsyncGenerator<Window, void> {
  const shards = shardLengths(pair);
  const isLong = (range.to - range.from) / Math.min(...shards) > fewShards;
  const parts = isLong
    ? ((await countWindows(pair, [measurement], range, weekMs, limits))[0] ?? [])
    : [range];
  for (const part of parts.toReversed()) {
    for (const piece of byShard(part, shards).toReversed())
      yield* planPiece(pair, measurement, piece, limits);
  }
}

async function* planPiece(
  pair: Pair,
  measurement: Measurement,
  piece: Range,
  limits: Limits,
): AsyncGenerator<Window, void> {
  const window = await countRange(pair, measurement, piece, limits);
  if (!window) return;
  const [older, newer] = (window.points > mostPoints && halves(piece)) || [];
  if (older && newer) {
    yield* planPiece(pair, measurement, newer, limits);
    yield* planPiece(pair, measurement, older, limits);
  } else {
    yield window;
  }
}

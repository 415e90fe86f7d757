import { countWindows, joinWindows, type Window } from "./counts.ts";
import type { Measurement } from "./schema.ts";
import { shardLengths, type Pair } from "./sides.ts";
import { byShard, weekMs, type Range } from "./time.ts";
import { mostAtPace, type Care } from "./pace.ts";

/** One window is compared and filled as a whole: so much work is lost at most when it is killed. */
const mostValues = 120_000;
/** What holds more is counted in so many parts: of many series each count takes its time, however few points there are. */
const parts = 1_000;
/** Counts in one answer, about, of which there is one for each field: it is taken as a whole. */
const mostCounts = 50_000;

/** Of a range that is longer than so many shards it is asked first in which weeks there is anything. */
const fewShards = 16;

/**
 * A range in windows that lie in one shard each and hold no more values than that, newest first: what is asked for most
 * comes first. Those where neither has anything are left out. Points of one ms are not parted.
 * @throws ChimeError `influxdb.*`
 */
export async function* planWindows(
  pair: Pair,
  measurement: Measurement,
  range: Range,
  limits: Care,
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
  limits: Care,
): AsyncGenerator<Window, void> {
  const fields = Math.max(1, measurement.mine.size, measurement.other.size);
  const most = Math.max(2, Math.min(parts, Math.floor(mostCounts / fields)));
  const stepMs = Math.max(1, Math.ceil((piece.to - piece.from) / most));
  const [windows = []] = await countWindows(pair, [measurement], piece, stepMs, limits);
  for (const window of joined(windows, () => limits.pace?.size("reading") ?? mostValues)) {
    const isShorter = window.to - window.from < piece.to - piece.from;
    if (window.values > (limits.pace ? mostAtPace : mostValues) && isShorter)
      yield* planPiece(pair, measurement, window, limits);
    else yield window;
  }
}

/** Those that follow one another, as long as they hold no more values than one may; newest first. */
function* joined(windows: readonly Window[], most: () => number): Generator<Window, void> {
  let last: Window | undefined;
  for (const next of windows.toReversed()) {
    if (last && last.values + next.values <= most()) last = joinWindows(next, last);
    else {
      if (last) yield last;
      last = next;
    }
  }
  if (last) yield last;
}

/** A part of time, milliseconds since the Unix epoch, without its end. */
export interface Range {
  from: number;
  to: number;
}

/** What a server puts into one shard, as a rule: in which weeks there is anything is asked first. */
export const weekMs = 604_800_000;

/** All that a server can store (`MinTime`, `MaxTime` of its models package), ns: the ends of it are no whole ms. */
const minNs = -9_223_372_036_854_775_806n;
const maxNs = 9_223_372_036_854_775_806n;

/** Holds every point that a server can have. */
export const allTime: Range = { from: -9_223_372_036_855, to: 9_223_372_036_855 };

/** Borders of shards are counted from the year 1, in ms. */
const yearOneMs = -62_135_596_800_000;

/** As a condition of a statement. Without one a server takes its own clock for the end. */
export function within({ from, to }: Range): string {
  const [first, last] = [BigInt(from) * 1_000_000n, BigInt(to) * 1_000_000n - 1n];
  return `time >= ${first < minNs ? minNs : first} AND time <= ${last > maxNs ? maxNs : last}`;
}

export function overlap(a: Range, b: Range): Range | undefined {
  const both = { from: Math.max(a.from, b.from), to: Math.min(a.to, b.to) };
  return both.from < both.to ? both : undefined;
}

/** A range but for those in it. */
export function without(range: Range, holes: readonly Range[]): Range[] {
  let rest = [range];
  for (const hole of holes) {
    rest = rest.flatMap(({ from, to }) =>
      [
        { from, to: Math.min(to, hole.from) },
        { from: Math.max(from, hole.to), to },
      ].filter((piece) => piece.from < piece.to),
    );
  }
  return rest;
}

/** The part of a range that begins where it does and lies in one shard, where a field has one type. */
function firstInShard({ from, to }: Range, shardMs: number): Range {
  const next = (Math.floor((from - yearOneMs) / shardMs) + 1) * shardMs + yearOneMs;
  return { from, to: Math.min(to, next) };
}

/** A range in pieces that lie in one shard each, oldest first. Twins may have cut differently: give the lengths of both. */
export function byShard(range: Range, shardMs: readonly number[]): Range[] {
  const pieces: Range[] = [];
  for (let rest = range; rest.from < rest.to;) {
    const piece = shardMs.reduce(firstInShard, rest);
    pieces.push(piece);
    rest = { from: piece.to, to: rest.to };
  }
  return pieces;
}

/** For people and messages. */
export function rangeText({ from, to }: Range): string {
  return `${instant(from)} to ${instant(to)}`;
}

/** Dates of JavaScript end where the year 275760 does: a server's end earlier. */
function instant(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

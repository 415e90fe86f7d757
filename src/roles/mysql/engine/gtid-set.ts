/**
 * MySQL's GTID sets: `UUID[:TAG]:INTERVAL[:INTERVAL]…`, comma-separated, an interval being `5` or `5-9`; a tag holds
 * for the intervals up to the next one. https://dev.mysql.com/doc/refman/9.7/en/replication-gtids-concepts.html
 * By source (`uuid` or `uuid:tag`, in lower case) the intervals, first and last included, rising and apart.
 */
export type GtidSet = ReadonlyMap<string, readonly Interval[]>;
type Interval = readonly [first: bigint, last: bigint];

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const tagPattern = /^[a-z_][a-z0-9_]{0,31}$/;
const intervalPattern = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/** @throws TypeError on anything that is no GTID set; overlapping and repeated parts are joined, as the server does. */
export function parseGtidSet(text: string): GtidSet {
  const found = new Map<string, Interval[]>();
  // The server breaks lines after its commas.
  for (const part of text.toLowerCase().split(",")) {
    const [uuid = "", ...rest] = part.trim().split(":");
    if (uuid === "" && rest.length === 0) continue;
    if (!uuidPattern.test(uuid) || rest.length === 0) throw notASet(part);
    let source = uuid;
    for (const piece of rest) {
      const match = intervalPattern.exec(piece);
      if (match) {
        const first = BigInt(match[1] as string);
        const last = match[2] === undefined ? first : BigInt(match[2]);
        if (first < 1n) throw notASet(part);
        // An interval that ends before it begins is empty to the server.
        if (last >= first) found.set(source, [...(found.get(source) ?? []), [first, last]]);
      } else if (tagPattern.test(piece)) source = `${uuid}:${piece}`;
      else throw notASet(part);
    }
  }
  return new Map([...found].map(([source, intervals]) => [source, joined(intervals)]));
}

function notASet(part: string): TypeError {
  return new TypeError(`not a GTID set: ${part.trim().slice(0, 60)}`);
}

function joined(intervals: readonly Interval[]): Interval[] {
  const sorted = intervals.toSorted((a, b) => (a[0] < b[0] ? -1 : 1));
  const result: [bigint, bigint][] = [];
  for (const [first, last] of sorted) {
    const previous = result.at(-1);
    if (!previous || first > previous[1] + 1n) result.push([first, last]);
    else if (last > previous[1]) previous[1] = last;
  }
  return result;
}

/** As the server prints it, on one line. */
export function formatGtidSet(set: GtidSet): string {
  return parts(set).join(",");
}

function parts(set: GtidSet): string[] {
  return [...set].map(([source, intervals]) =>
    [source, ...intervals.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))].join(
      ":",
    ),
  );
}

/** What both hold together. */
export function union(one: string, other: string): string {
  return formatGtidSet(parseGtidSet(`${one},${other}`));
}

/** GTID_SUBTRACT: what is in `own` and not in `other`. */
function subtract(own: GtidSet, other: GtidSet): GtidSet {
  const result = new Map<string, Interval[]>();
  for (const [source, intervals] of own) {
    let left: Interval[] = [...intervals];
    for (const [first, last] of other.get(source) ?? []) {
      left = left.flatMap(([from, to]): Interval[] => {
        if (last < from || first > to) return [[from, to]];
        const before: Interval[] = from < first ? [[from, first - 1n]] : [];
        return to > last ? [...before, [last + 1n, to]] : before;
      });
    }
    if (left.length > 0) result.set(source, left);
  }
  return result;
}

/** What `own` holds and `other` does not, one set a source. */
export function extras(own: string, other: string): string[] {
  return parts(subtract(parseGtidSet(own), parseGtidSet(other)));
}

/** Whether `position` holds everything that is in `wanted`. */
export function reaches(position: string, wanted: string): boolean {
  return extras(wanted, position).length === 0;
}

/** Whether one transaction is in the set. */
export function contains(set: GtidSet, source: string, number: bigint): boolean {
  return (set.get(source) ?? []).some(([first, last]) => first <= number && number <= last);
}

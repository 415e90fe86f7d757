import { ChimeError, failed } from "../../../core/errors.ts";
import { oneLine } from "../../http.ts";
import { identifier, queryJson } from "../influxql.ts";
import type { Held, Pair, Side } from "./sides.ts";
import { within, type Range } from "./time.ts";
import { inTurn, type Care } from "./pace.ts";

/** The types that a field has on one server: several where it changed from one shard to another. */
type Types = ReadonlyMap<string, ReadonlySet<string>>;

/** What is written under one name. */
export interface Measurement {
  name: string;
  mine: Types;
  other: Types;
}

/**
 * Names that InfluxQL keeps for itself: such a measurement it does not answer, and of such a field it answers something else, at
 * time 0 [each of them tried, 2.7.12; others that begin alike are answered]. Both are written as any other.
 */
const reserved = {
  measurements: new Set(["_fieldKeys", "_measurements", "_name", "_series", "_tagKey", "_tagKeys", "_tags"]),
  fields: new Set(["_fieldKey", "_name", "_seriesKey", "_tagKey", "_tagValue"]),
};

/** A statement has no way to write these in a name, nor has a predicate [tried, 2.7.12]; line protocol has. */
const unwritable = ["\r", "\0"];

/** Code of why a bucket is held for those. */
export const unaskable = "influxdb.unaskable";

/** What a bucket has. */
interface Listed {
  /** By name. */
  measurements: Measurement[];
  /** The bucket, where it has others, which cannot be asked for. */
  held: Held[];
}

/** All that either of them has. @throws ChimeError `influxdb.*` */
export async function listMeasurements({ name: bucket, mine, other }: Pair, limits: Care): Promise<Listed> {
  const types = (side: Side) => inTurn(limits, undefined, 0, () => fieldTypes(side, limits));
  const [ofMine, ofOther] = await Promise.all([types(mine), types(other)]);
  const names = [...new Set([...ofMine.keys(), ...ofOther.keys()])].sort();
  const none: Types = new Map();
  const all = names.map((name) => ({
    name,
    mine: ofMine.get(name) ?? none,
    other: ofOther.get(name) ?? none,
  }));
  const [first, ...more] = all.filter((one) => !isAskable(one));
  return {
    measurements: all.filter(isAskable),
    held: first ? [{ bucket, why: whyUnaskable(bucket, first, more.length) }] : [],
  };
}

function isAskable(one: Measurement): boolean {
  return isName(one.name) && unaskableField(one) === undefined;
}

function isName(name: string): boolean {
  return !reserved.measurements.has(name) && isWritable(name);
}

const isWritable = (name: string): boolean => !unwritable.some((one) => name.includes(one));

/** Where a field has two types all are asked for by their names. */
function unaskableField(one: Measurement): string | undefined {
  const isNamed = isMixed(one);
  return [...one.mine.keys(), ...one.other.keys()].find(
    (field) => reserved.fields.has(field) || (isNamed && !isWritable(field)),
  );
}

function whyUnaskable(bucket: string, first: Measurement, more: number): ChimeError {
  const field = isName(first.name) ? unaskableField(first) : undefined;
  const what = field === undefined ? first.name : `${first.name} (by its field ${field})`;
  const others = more > 0 ? ` and ${more} more` : "";
  return failed(
    unaskable,
    oneLine(
      `measurement ${what}${others} of bucket ${bucket} cannot be compared: InfluxQL cannot ask for that name`,
    ),
    isWritable(first.name)
      ? `write it by another name, and delete it: chime-node influxdb delete --bucket ${bucket} --from 1970-01-01 --to now --where '_measurement="NAME"'`
      : "write it by another name, and delete it (chime-node influxdb delete) by a tag that it alone has, or all of its time",
  );
}

async function fieldTypes(side: Side, limits: Care): Promise<Map<string, Types>> {
  const [tables = []] = await queryJson(side.server, side.database, ["SHOW FIELD KEYS"], limits);
  return new Map(
    tables.map(({ name, values }) => {
      const types = new Map<string, Set<string>>();
      for (const [field, type] of values as [string, string][]) {
        types.set(field, (types.get(field) ?? new Set()).add(type));
      }
      return [name, types];
    }),
  );
}

/** Has a field with two types, each in shards of its own: asked over both, a server tells what has the one, or the other. */
export function isMixed({ mine, other }: Measurement): boolean {
  return [mine, other].some((types) => [...types.values()].some(({ size }) => size > 1));
}

/**
 * The fields that are unsigned in a range within one shard: in an answer they look like other integers. Names as bytes.
 * @throws ChimeError `influxdb.*`
 */
export async function unsignedFields(
  side: Side,
  measurement: string,
  types: Types,
  range: Range,
  limits: Care,
): Promise<ReadonlySet<string>> {
  const maybe = [...types].filter(([, all]) => all.has("unsigned"));
  const sure = maybe.filter(([, all]) => !all.has("integer")).map(([name]) => name);
  const open = maybe.filter(([, all]) => all.has("integer")).map(([name]) => name);
  const found = await Promise.all(
    open.map(async (name) => ((await isUnsigned(side, measurement, name, range, limits)) ? [name] : [])),
  );
  return new Set([...sure, ...found.flat()].map((name) => Buffer.from(name).toString("latin1")));
}

/** Below zero an unsigned integer begins again at its largest. */
async function isUnsigned(
  { server, database }: Side,
  measurement: string,
  field: string,
  range: Range,
  limits: Care,
): Promise<boolean> {
  const statement = `SELECT max(${identifier(field)}) * 0 - 1 FROM ${identifier(measurement)} WHERE ${within(range)}`;
  try {
    const [tables = []] = await queryJson(server, database, [statement], limits);
    return Number(tables[0]?.values[0]?.[1] ?? 0) > 0;
  } catch (error) {
    // A text or a boolean, in this shard.
    if (error instanceof ChimeError && error.message.includes("incompatible types")) return false;
    throw error;
  }
}

import { ChimeError } from "../../../core/errors.ts";
import { identifier, queryJson } from "../influxql.ts";
import type { Pair, Side } from "./sides.ts";
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

/** All that either of them has, by name. @throws ChimeError `influxdb.*` */
export async function listMeasurements({ mine, other }: Pair, limits: Care): Promise<Measurement[]> {
  const types = (side: Side) => inTurn(limits, undefined, 0, () => fieldTypes(side, limits));
  const [ofMine, ofOther] = await Promise.all([types(mine), types(other)]);
  const names = [...new Set([...ofMine.keys(), ...ofOther.keys()])].sort();
  const none: Types = new Map();
  return names.map((name) => ({ name, mine: ofMine.get(name) ?? none, other: ofOther.get(name) ?? none }));
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

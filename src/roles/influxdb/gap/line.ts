import type { Value } from "./msgpack.ts";
import type { Block, Row, Tag } from "./read.ts";

/**
 * Line protocol as the server parses it, from what it answered: exact for every value it can store. Texts are bytes, one
 * character each, and are written as such (`latin1`).
 * @see https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 */

/** A backslash stays what it is: it escapes only what is to be escaped there, and the server looks one byte back. */
const inMeasurement = /[, ]/g;
const inKey = /[,= ]/g;
const inText = /["\\]/g;
const escape = "\\$&";

/** `measurement,tag=value`: what a point belongs to. Tags by rising key; empty ones are none. */
export function seriesOf(measurement: string, tags: readonly Tag[]): string {
  let series = measurement.replace(inMeasurement, escape);
  for (const [key, value] of tags) {
    if (value !== "") series += `,${escapedKey(key)}=${escapedKey(value)}`;
  }
  return series;
}

/** A tag's key or value, or a field's key. */
function escapedKey(text: string): string {
  return text.replace(inKey, escape);
}

/** How the rows of one block become lines. */
export interface Form {
  series: string;
  fields: readonly FieldForm[];
}

interface FieldForm {
  /** `name=` */
  key: string;
  /** Integers and unsigned integers look alike in an answer. */
  unsigned: boolean;
}

export function formOf(
  measurement: string,
  { tags, fields }: Omit<Block, "rows">,
  unsigned: ReadonlySet<string>,
): Form {
  return {
    series: seriesOf(measurement, tags),
    fields: fields.map((name) => ({ key: `${escapedKey(name)}=`, unsigned: unsigned.has(name) })),
  };
}

/** One point, without the end of its line; empty where it has no values. */
export function lineOf({ series, fields }: Form, { time, values }: Row): string {
  let text = "";
  for (let i = 0; i < fields.length; i++) {
    const [value, field] = [values[i], fields[i]];
    if (value === null || value === undefined || !field) continue;
    text += `${text && ","}${field.key}${valueText(value, field.unsigned)}`;
  }
  return text && `${series} ${text} ${time}`;
}

/** As a field's value is written. The shortest text of a float is read back as the same float. */
export function valueText(value: Exclude<Value, null>, unsigned: boolean): string {
  if (typeof value === "string") return `"${value.replace(inText, escape)}"`;
  if (typeof value === "bigint") return `${value}${unsigned ? "u" : "i"}`;
  return Object.is(value, -0) ? "-0" : String(value);
}

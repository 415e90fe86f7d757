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

/**
 * What it has no way to say: the server refuses such a line, or reads another point out of it. It holds such names all the same
 * where Flux's `to()` has stored them [each tried, 2.7.12].
 */
const unsayable = {
  measurement: /\n|^[#\t]|\\$/,
  tag: /\n|\\$/,
  field: /\n|^\t|\\(?:[,= "]|$)/,
};

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
  /** A line can say to what the rows belong. */
  isSayable: boolean;
}

interface FieldForm {
  /** `name=` */
  key: string;
  /** Integers and unsigned integers look alike in an answer. */
  unsigned: boolean;
  isSayable: boolean;
}

export function formOf(
  measurement: string,
  { tags, fields }: Omit<Block, "rows">,
  unsigned: ReadonlySet<string>,
): Form {
  return {
    series: seriesOf(measurement, tags),
    fields: fields.map((name) => ({
      key: `${escapedKey(name)}=`,
      unsigned: unsigned.has(name),
      isSayable: !unsayable.field.test(name),
    })),
    isSayable:
      !unsayable.measurement.test(measurement) && !tags.flat().some((text) => unsayable.tag.test(text)),
  };
}

/** Whether a line says this point, and no other one. */
export function isSayable(form: Form, { values }: Row): boolean {
  return form.isSayable && form.fields.every((field, i) => field.isSayable || (values[i] ?? null) === null);
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

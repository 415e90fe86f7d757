import { databaseOf, type Bucket } from "../../../../src/roles/influxdb/buckets.ts";
import type { Limits } from "../../../../src/roles/http.ts";
import type { Server } from "../../../../src/roles/influxdb/client.ts";
import { seriesOf, valueText } from "../../../../src/roles/influxdb/gap/line.ts";
import type { Value } from "../../../../src/roles/influxdb/gap/msgpack.ts";
import { planWindows } from "../../../../src/roles/influxdb/gap/plan.ts";
import { readRows, type Block } from "../../../../src/roles/influxdb/gap/read.ts";
import { listMeasurements, unsignedFields } from "../../../../src/roles/influxdb/gap/schema.ts";
import { allTime } from "../../../../src/roles/influxdb/gap/time.ts";

type Type = "float" | "integer" | "unsigned" | "string" | "boolean";

export interface Point {
  measurement: string;
  tags: Record<string, string>;
  /** Nanoseconds. */
  time: bigint;
  fields: Record<string, { type: Type; value: Exclude<Value, null> }>;
}

const bytes = (text: string) => Buffer.from(text).toString("latin1");

/** What a bucket holds: the last value of each field of each point. */
export class Model {
  readonly #points = new Map<string, Point>();

  constructor(points: Iterable<Point>) {
    for (const point of points) {
      const tags = Object.entries(point.tags).sort(([a], [b]) =>
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
      );
      const key = JSON.stringify([point.measurement, tags, String(point.time)]);
      const fields = { ...this.#points.get(key)?.fields, ...point.fields };
      this.#points.set(key, { ...point, fields });
    }
  }

  points(): Point[] {
    return [...this.#points.values()];
  }

  /** One line a value, sorted. */
  toString(): string {
    const lines = [...this.#points].flatMap(([key, { fields }]) =>
      Object.entries(fields).map(
        ([name, { type, value }]) => `${key} ${JSON.stringify([name, type])} ${text(value)}`,
      ),
    );
    return lines.sort().join("\n");
  }

  static lines(points: readonly Point[]): Uint8Array {
    const lines = points.map(({ measurement, tags, time, fields }) => {
      const pairs = Object.entries(tags).map(([key, value]) => [bytes(key), bytes(value)] as const);
      const values = Object.entries(fields).map(([name, { type, value }]) => {
        const key = bytes(name).replace(/[, =]/g, "\\$&");
        return `${key}=${valueText(typeof value === "string" ? bytes(value) : value, type === "unsigned")}`;
      });
      return `${seriesOf(bytes(measurement), pairs)} ${values.join(",")} ${time}`;
    });
    return Buffer.from(`${lines.join("\n")}\n`, "latin1");
  }

  /** What a server answers, by itself. (Flux would tell types too, but its answers have other newlines in texts.) */
  static async read(server: Server, bucket: Bucket, limits: Limits): Promise<Model> {
    const side = { server, bucket, database: await databaseOf(server, bucket, limits) };
    const pair = { name: bucket.name, mine: side, other: side };
    const points: Point[] = [];
    for (const measurement of (await listMeasurements(pair, limits)).measurements) {
      const { name, mine } = measurement;
      for await (const window of planWindows(pair, measurement, allTime, limits)) {
        const unsigned = await unsignedFields(side, name, mine, window, limits);
        for await (const block of readRows(side, name, window, limits))
          points.push(...pointsOf(name, block, unsigned));
      }
    }
    return new Model(points);
  }
}

function pointsOf(
  measurement: string,
  { tags, fields, rows }: Block,
  unsigned: ReadonlySet<string>,
): Point[] {
  const present = tags.filter(([, value]) => value !== "").map(([key, value]) => [utf8(key), utf8(value)]);
  return rows.map(({ time, values }) => {
    const found = fields.flatMap((name, i): [string, Point["fields"][string]][] => {
      const value = values[i] ?? null;
      if (value === null) return [];
      const type =
        typeof value === "bigint" ? (unsigned.has(name) ? "unsigned" : "integer") : types[typeof value];
      return [
        [utf8(name), { type: type ?? "string", value: typeof value === "string" ? utf8(value) : value }],
      ];
    });
    return { measurement, tags: Object.fromEntries(present), time, fields: Object.fromEntries(found) };
  });
}

const types: Record<string, Type> = { number: "float", string: "string", boolean: "boolean" };

function utf8(text: string): string {
  return Buffer.from(text, "latin1").toString();
}

function text(value: Exclude<Value, null>): string {
  return typeof value === "number"
    ? Object.is(value, -0)
      ? "-0"
      : String(value)
    : JSON.stringify(String(value));
}

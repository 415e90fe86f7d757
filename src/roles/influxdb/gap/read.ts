import { failed } from "../../../core/errors.ts";
import type { Limits } from "../../http.ts";
import { identifier, queryError, queryMsgpack } from "../influxql.ts";
import { Unpacker, type Value } from "./msgpack.ts";
import type { Side } from "./sides.ts";
import { within, type Range } from "./time.ts";

/** One tag; values of tags that a series has not are empty. Texts are bytes, as of everything here (msgpack.ts). */
export type Tag = readonly [key: string, value: string];

export interface Row {
  /** Nanoseconds. */
  time: bigint;
  /** By the block's fields; null where the point has none of that name. */
  values: readonly Value[];
}

/** Some rows of one series, by rising time. A series may come in several blocks, one after the other. */
export interface Block {
  /** By rising key: all that the measurement knows. */
  tags: readonly Tag[];
  /** By rising name. */
  fields: readonly string[];
  rows: readonly Row[];
}

/** So many rows of a series come as one piece of the answer: the server gathers no more of them. */
const chunkRows = 5_000;

/** One row, or what stands before rows, is never as long. */
const longestUnit = 64 << 20;

/**
 * All rows of a measurement in a range that lies in one shard, where a field has one type. By rising series (as its tags'
 * values compare, byte by byte, key by key), and in a series by rising time.
 * @throws ChimeError `influxdb.*`
 */
export function readRows(
  side: Side,
  measurement: string,
  range: Range,
  limits: Limits,
): AsyncGenerator<Block> {
  const statement = `SELECT *::field FROM ${identifier(measurement)} WHERE ${within(range)} GROUP BY *`;
  return parseBlocks(side, queryMsgpack(side.server, side.database, statement, chunkRows, limits));
}

/** @throws ChimeError `influxdb.query`, `influxdb.answer` */
export async function* parseBlocks(
  side: Pick<Side, "server">,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Block> {
  const answer = new AnswerParser((error) => queryError(side.server, error));
  for await (const piece of pieces) {
    answer.push(piece);
    for (let block = answer.next(); block; block = answer.next()) yield block;
  }
  answer.end();
}

/** What of an answer was begun and not ended yet: what is left to be read of it. */
type Open =
  | { kind: "answer"; keys: number }
  | { kind: "results" | "seriesList"; items: number }
  | { kind: "result"; keys: number }
  | { kind: "series"; keys: number }
  | { kind: "rows"; items: number };

/**
 * `{results: [{series: [{name, tags, columns, values: [[time, …], …]}]}]}`, any number of times. Reads as far as the bytes
 * go; each thing is read as a whole, but for the lists in it.
 */
class AnswerParser {
  readonly #unpacker = new Unpacker();
  readonly #open: Open[] = [];
  readonly #refused: (error: string) => Error;
  #tags: readonly Tag[] = [];
  #columns: readonly string[] = [];

  constructor(refused: (error: string) => Error) {
    this.#refused = refused;
  }

  push(piece: Uint8Array): void {
    this.#unpacker.push(piece);
    if (this.#unpacker.rest > longestUnit) throw misformed(`holds more than ${longestUnit} bytes at once`);
  }

  /** The next rows that are there; undefined when more bytes have to come. */
  next(): Block | undefined {
    for (;;) {
      const rows: Row[] = [];
      const top = this.#open.at(-1);
      if (top?.kind === "rows") {
        while (top.items > 0) {
          const row = this.#unpacker.whole(() => this.#row());
          if (!row) break;
          rows.push(row);
          top.items--;
        }
        const isAll = top.items === 0;
        if (isAll) this.#open.pop();
        if (rows.length > 0) return { tags: this.#tags, fields: this.#columns, rows };
        if (!isAll) return undefined;
        continue;
      }
      if (this.#unpacker.rest === 0 || this.#unpacker.whole(() => this.#step(top)) === undefined)
        return undefined;
    }
  }

  /** @throws ChimeError `influxdb.answer` where the answer is not whole */
  end(): void {
    const isOpen = this.#open.some((open) => ("keys" in open ? open.keys : open.items) > 0);
    if (isOpen || this.#unpacker.rest > 0) throw misformed("ends in the middle");
  }

  /** What comes next but rows. Changes nothing before all of it was read. */
  #step(top: Open | undefined): true {
    const unpacker = this.#unpacker;
    if (!top) {
      this.#open.push({ kind: "answer", keys: unpacker.mapSize() });
    } else if ("keys" in top) {
      if (top.keys > 0) this.#key(top);
      else this.#open.pop();
    } else if (top.items > 0) {
      const keys = unpacker.mapSize();
      top.items--;
      this.#open.push({ kind: top.kind === "results" ? "result" : "series", keys });
    } else {
      this.#open.pop();
    }
    return true;
  }

  #key(top: Open & { keys: number }): void {
    const unpacker = this.#unpacker;
    const key = unpacker.text();
    if (key === "error") throw this.#refused(Buffer.from(unpacker.text(), "latin1").toString());
    const opened = this.#opened(`${top.kind}.${key}`);
    top.keys--;
    if (opened) this.#open.push(opened);
  }

  #opened(place: string): Open | undefined {
    const unpacker = this.#unpacker;
    switch (place) {
      case "answer.results":
        return { kind: "results", items: unpacker.arraySize() };
      case "result.series":
        return { kind: "seriesList", items: unpacker.arraySize() };
      case "series.tags":
        this.#tags = this.#readTags();
        return undefined;
      case "series.columns":
        this.#columns = this.#readColumns();
        return undefined;
      case "series.values":
        return { kind: "rows", items: unpacker.arraySize() };
      default:
        return unpacker.skip() as undefined;
    }
  }

  #readTags(): readonly Tag[] {
    const tags: Tag[] = [];
    for (let left = this.#unpacker.mapSize(); left > 0; left--) {
      tags.push([this.#unpacker.text(), this.#unpacker.text()]);
    }
    // One byte a character: so they compare as bytes.
    return tags.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #readColumns(): readonly string[] {
    const columns: string[] = [];
    for (let left = this.#unpacker.arraySize(); left > 0; left--) columns.push(this.#unpacker.text());
    if (columns.shift() !== "time") throw misformed("has rows without a time");
    return columns;
  }

  #row(): Row {
    const size = this.#unpacker.arraySize();
    if (size !== this.#columns.length + 1) throw misformed("has a row of another length than its columns");
    const time = this.#unpacker.integer();
    const values: Value[] = [];
    for (let left = size - 1; left > 0; left--) values.push(this.#unpacker.value());
    return { time, values };
  }
}

function misformed(why: string) {
  return failed("influxdb.answer", `the server's answer ${why}`, {
    remedy: "use a version of InfluxDB that docs/systems.md names",
  });
}

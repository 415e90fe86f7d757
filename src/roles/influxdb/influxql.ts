import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";
import { oneLine, type Limits } from "../http.ts";
import { askJson, stream, whereOf, type Asked, type Server } from "./client.ts";

/** What InfluxQL calls a bucket by (see `databaseOf` in buckets.ts). */
export interface Database {
  db: string;
  rp: string;
}

/** One table of an answer. Integers above 2^53 are not exact here: for values ask for rows (gap/read.ts). */
const seriesSchema = v.object({
  name: v.optional(v.string(), ""),
  tags: v.optional(v.record(v.string(), v.string()), {}),
  columns: v.array(v.string()),
  values: v.optional(v.array(v.array(v.unknown())), []),
});
export type Series = v.InferOutput<typeof seriesSchema>;

const answerSchema = v.object({
  results: v.array(
    v.object({ series: v.optional(v.array(seriesSchema), []), error: v.optional(v.string()) }),
  ),
});

/** Of counts and names; rows are streamed. */
const maxBytes = 64 << 20;

/**
 * The tables of each statement, in their order, times in ms unless asked for in µs, which are exact here, too. Errors come
 * with status 200: here they are errors.
 * @throws ChimeError `influxdb.query`, `influxdb.*`
 */
export async function queryJson(
  server: Server,
  database: Database,
  statements: readonly string[],
  limits: Limits,
  epoch: "ms" | "u" = "ms",
): Promise<Series[][]> {
  const asked = { ...request(server, database, statements.join(";"), epoch), maxBytes };
  const { results } = await askJson(server, asked, answerSchema, limits);
  const error = results.find((result) => result.error !== undefined)?.error;
  if (error !== undefined) throw queryError(server, error);
  return results.map(({ series }) => series);
}

/**
 * The answer to one statement as MessagePack, times in ns, which alone tells integers and floats apart. It comes series by
 * series, so many rows at a time: the server does not gather it first.
 * @throws ChimeError `influxdb.*`
 */
export function queryMsgpack(
  server: Server,
  database: Database,
  statement: string,
  chunkRows: number,
  limits: Limits,
): AsyncGenerator<Uint8Array, void> {
  const asked = request(server, database, statement, "ns");
  const query = { ...asked.query, chunked: "true", chunk_size: String(chunkRows) };
  const headers = { ...asked.headers, accept: "application/x-msgpack" };
  return stream(server, { ...asked, query, headers }, limits);
}

/** The server refuses a statement, or cannot answer it. */
export function queryError(server: Server, error: string) {
  return failed("influxdb.query", mask(`${whereOf(server)} does not answer a query: ${oneLine(error)}`), {
    remedy: "chime-node status",
  });
}

function request({ org }: Server, { db, rp }: Database, statements: string, epoch: "ms" | "u" | "ns"): Asked {
  const body = new URLSearchParams({ q: statements }).toString();
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  return { method: "POST", path: "/query", query: { db, rp, org, epoch }, headers, body };
}

/** A name (measurement, field, tag) in a statement. */
export function identifier(name: string): string {
  return `"${escaped(name, '"')}"`;
}

/** A text in a statement. */
export function literal(text: string): string {
  return `'${escaped(text, "'")}'`;
}

function escaped(text: string, quote: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll(quote, `\\${quote}`);
}

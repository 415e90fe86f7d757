import { failed } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { askWell, whereOf, type Server } from "./client.ts";

/** All that a server knows beside the points: users, tokens, organisations, buckets, their shards, tasks. */
export interface Metadata {
  kv: Uint8Array;
  sql: Uint8Array;
}

/** Tokens and buckets are a few hundred bytes each. */
const maxBytes = 64 << 20;

/** @throws ChimeError `influxdb.answer`, `influxdb.*` */
export async function readMetadata(server: Server, limits: Limits): Promise<Metadata> {
  const asked = { method: "GET", path: "/api/v2/backup/metadata", maxBytes } as const;
  const { body, headers } = await askWell(server, asked, limits);
  const parts = multipart(Buffer.from(body), headers.get("content-type") ?? "");
  const [kv, sql] = [parts.get("kv"), parts.get("sql")];
  if (kv && sql) return { kv, sql };
  throw failed("influxdb.answer", `${whereOf(server)} gives metadata in a form that is not known`, {
    remedy: "use a version of InfluxDB that docs/systems.md names",
  });
}

/**
 * Makes a server that was just set up, with the same administrator's token, the other one's twin: every ID and every
 * token is the same then, what it had itself is gone. @throws ChimeError `influxdb.*`
 */
export async function restoreMetadata(server: Server, { kv, sql }: Metadata, limits: Limits): Promise<void> {
  // The organisation is in the second: whoever finds the same one there finds both done.
  for (const [name, body] of [
    ["sql", sql],
    ["kv", kv],
  ] as const) {
    const asked = { method: "POST", path: `/api/v2/restore/${name}`, body, once: true } as const;
    await askWell(server, asked, limits);
  }
}

/** The parts of a body by their names (RFC 2046 §5.1); none where it is not of this form. Pure. */
export function multipart(body: Buffer, type: string): Map<string, Buffer> {
  const boundary = /^multipart\/mixed;.*\bboundary="?([^";]+)/.exec(type)?.[1];
  const parts = new Map<string, Buffer>();
  if (boundary === undefined) return parts;
  const delimiter = Buffer.from(`--${boundary}`);
  let at = body.indexOf(delimiter);
  while (at >= 0) {
    const start = at + delimiter.length + "\r\n".length;
    const next = body.indexOf(Buffer.concat([Buffer.from("\r\n"), delimiter]), start);
    const end = body.indexOf("\r\n\r\n", start);
    if (next < 0 || end < 0 || end > next) break;
    const name = /\bname="([^"]*)"/.exec(body.toString("latin1", start, end))?.[1];
    if (name !== undefined) parts.set(name, body.subarray(end + 4, next));
    at = next + 2;
  }
  return parts;
}

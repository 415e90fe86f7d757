import type { Limits } from "../http.ts";
import { askWell, type Server } from "./client.ts";

interface Lines {
  bucket: string;
  /** Line protocol, times in nanoseconds unless said otherwise. */
  body: Uint8Array | string;
  gzip?: boolean;
  precision?: "ns" | "us" | "ms" | "s";
}

/**
 * Writes points. Writing them again changes nothing.
 * @throws ChimeError `influxdb.partial` where the good lines were stored (type conflict, older than the retention),
 * `influxdb.full`, `influxdb.read_only`, `influxdb.refused` (no line protocol, nothing stored), `influxdb.*`
 */
export async function writeLines(
  server: Server,
  { bucket, body, gzip = false, precision = "ns" }: Lines,
  limits: Limits,
): Promise<void> {
  const headers = {
    "content-type": "text/plain; charset=utf-8",
    ...(gzip && { "content-encoding": "gzip" }),
  };
  const query = { org: server.org, bucket, precision };
  await askWell(server, { method: "POST", path: "/api/v2/write", query, headers, body }, limits);
}

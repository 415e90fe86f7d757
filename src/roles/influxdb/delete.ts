import type { Limits } from "../http.ts";
import { askWell, type Server } from "./client.ts";
import type { Range } from "./gap/time.ts";

/** What is deleted of a bucket. */
export interface Deleted {
  bucket: string;
  /** Both included; RFC 3339. */
  start: string;
  stop: string;
  /** `_measurement="cpu" AND host="a"`: equality and AND are all that the server knows. Empty: all points of that time. */
  predicate: string;
}

/** A time whose end is not in it, as the server takes it: up to the nanosecond before. Pure. */
export function bothIncluded({ from, to }: Range): Pick<Deleted, "start" | "stop"> {
  const [start, last] = [from, to - 1].map((ms) => new Date(ms).toISOString()) as [string, string];
  return { start, stop: last.replace(/Z$/, "999999Z") };
}

/** Doing it again deletes what was written meanwhile. @throws ChimeError `influxdb.refused` (a predicate that is none), `influxdb.*` */
export async function deletePoints(
  server: Server,
  { bucket, start, stop, predicate }: Deleted,
  limits: Limits,
): Promise<void> {
  const body = JSON.stringify({ start, stop, ...(predicate && { predicate }) });
  const headers = { "content-type": "application/json" };
  const query = { org: server.org, bucket };
  const asked = { method: "POST", path: "/api/v2/delete", query, headers, body, once: true } as const;
  await askWell(server, asked, limits);
}

/**
 * What twin-fill.ts runs in the lab's client: gives both servers their points, says so, and writes to both from then on, until
 * SIGTERM. Says of each write when it was begun and what it took, ms, Infinity where it was not taken.
 */
import type { Server } from "../../src/roles/influxdb/client.ts";
import { loadPoints, writeLive } from "./points.ts";

export interface FillSettings {
  servers: Server[];
  bucket: string;
  start: number;
  seconds: number;
}

const { servers, bucket, start, seconds } = (await Bun.stdin.json()) as FillSettings;
let isOver = false;
process.once("SIGTERM", () => (isOver = true));
await loadPoints(servers, { bucket, start, seconds });
console.log("loaded");
await writeLive(servers, bucket, { end: () => isOver, took: (at, ms) => console.log(`${at} ${ms}`) });

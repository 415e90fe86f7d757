/** Reads in the client's namespace from whichever of HTTP and HTTPS answers; a line for each answer: ms since the one before. */
import { listBuckets } from "../../src/roles/influxdb/buckets.ts";
import type { Server } from "../../src/roles/influxdb/client.ts";

const { ca, ...plain } = (await Bun.stdin.json()) as Omit<Server, "port"> & { ca: string };
const limits = { timeoutMs: 500 };
const servers: Server[] = [
  { ...plain, port: 8086 },
  { ...plain, port: 8086, ca },
];

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
let last = performance.now();
while (!stop.signal.aborted) {
  const answers = await Promise.allSettled(servers.map((server) => listBuckets(server, limits)));
  const now = performance.now();
  if (answers.some(({ status }) => status === "fulfilled")) {
    console.log(Math.round(now - last));
    last = now;
  }
  await Bun.sleep(20);
}

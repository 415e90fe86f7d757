import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Server } from "../../src/roles/influxdb/client.ts";
import { writeLines } from "../../src/roles/influxdb/write.ts";

const perSecond = 1_000;
const limits = { timeoutMs: 60_000 };
const liveLimits = { timeoutMs: 5_000 };
const compress = promisify(gzip);

/** A second of five measurements with two fields each, of all types, and a hundred series. */
function second(start: number, nth: number): string {
  let lines = "";
  for (let i = 0; i < perSecond; i++) {
    const fields = [
      `usage=${(i * 7) / 10},idle=${nth}.5`,
      `used=${i * 1024}i,free=${nth}i`,
      `read=${i}u,ok=${i % 2 === 0}`,
      `rx=${i}i,tx=${nth * i}i`,
      `text="line ${i} of \\"${nth}\\", and\nso on",code=${i}u`,
    ][i % 5];
    const time = `${start / 1000 + nth}${String(i * 1_000_000).padStart(9, "0")}`;
    lines += `${["cpu", "mem", "disk", "net", "log"][i % 5]},host=h${i % 100},region=eu\\ west ${fields} ${time}\n`;
  }
  return lines;
}

/** So many seconds of 1,000 points each, on each server. @param start a whole second, ms since the epoch */
export async function loadPoints(
  servers: readonly Server[],
  { bucket, start, seconds }: { bucket: string; start: number; seconds: number },
): Promise<void> {
  const each = 10;
  for (let first = 0; first < seconds; first += each) {
    const text = Array.from({ length: each }, (_, i) => second(start, first + i)).join("");
    const body = await compress(text, { level: 1 });
    await Promise.all(servers.map((server) => writeLines(server, { bucket, body, gzip: true }, limits)));
  }
}

/** Clients of both servers, 1,000 points a second each, until `end`. @param took how long a write begun at `at` took, ms; Infinity: it was not taken */
export async function writeLive(
  servers: readonly Server[],
  bucket: string,
  { end, took }: { end: () => boolean; took: (at: number, ms: number) => void },
): Promise<void> {
  const client = async (server: Server) => {
    for (let due = performance.now(); !end(); due += 100) {
      await Bun.sleep(Math.max(0, due - performance.now()));
      const at = Date.now();
      const line = (_: unknown, i: number) =>
        `load,host=h${i} f=${i},n=${i}i,s="text" ${at}${String(i * 1000).padStart(6, "0")}`;
      const body = Array.from({ length: 100 }, line).join("\n");
      const began = performance.now();
      // What one that is away does not take is filled from the other one.
      const isTaken = await writeLines(server, { bucket, body }, liveLimits).then(
        () => true,
        () => false,
      );
      took(at, isTaken ? performance.now() - began : Number.POSITIVE_INFINITY);
      if (!isTaken) due = performance.now();
    }
  };
  await Promise.all(servers.map(client));
}

/** What influxdb.ts runs in namespaces of its own. */
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { percentiles } from "../../src/operations/drill/histogram.ts";
import { createBucket, findBucket } from "../../src/roles/influxdb/buckets.ts";
import type { Server } from "../../src/roles/influxdb/client.ts";
import { deletePoints } from "../../src/roles/influxdb/delete.ts";
import { findGaps } from "../../src/roles/influxdb/gap/windows.ts";
import type { Range } from "../../src/roles/influxdb/gap/time.ts";
import { probeBucket } from "../../src/roles/influxdb/layout.ts";
import { writeLines } from "../../src/roles/influxdb/write.ts";
import { startInfluxd } from "../../test/lab/influxdb-server.ts";
import { addresses } from "../../test/lab/namespaces.ts";

/** Seconds, points a second, MB, ms. */
export interface Measured {
  found: number[];
  repaired: number[];
  filled: number[];
  memory: number[];
  calm: number[];
  filling: number[];
}

/** What influxdb-repair-program.ts tells. */
export interface Repair {
  points: number;
  seconds: number;
  megabytes: number;
}

const { INFLUXD: binary = "", DIRECTORY: directory = "", ROUNDS: rounds = "1" } = process.env;
const limits = { timeoutMs: 60_000 };
const bucket = "bench";
const live = "live";
const ignored = ["chime", live, probeBucket.name];
const perSecond = 1_000;
const seconds = 5_000;
/** A Monday: all of it lies in one shard. */
const start = Date.parse("2026-11-16T00:00:00Z");
const compress = promisify(gzip);

/** A second of five measurements with two fields each, of all types, and a hundred series. */
function second(nth: number): string {
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

async function load(servers: readonly Server[]): Promise<void> {
  const each = 10;
  for (let first = 0; first < seconds; first += each) {
    const text = Array.from({ length: each }, (_, i) => second(first + i)).join("");
    const body = await compress(text, { level: 1 });
    await Promise.all(servers.map((server) => writeLines(server, { bucket, body, gzip: true }, limits)));
  }
}

const range = (from: number, to: number): Range => ({ from: start + from * 1000, to: start + to * 1000 });

async function lose(server: Server, { from, to }: Range): Promise<void> {
  const [first, last] = [new Date(from).toISOString(), new Date(to - 1).toISOString()];
  await deletePoints(server, { bucket, start: first, stop: last, predicate: "" }, limits);
}

/** In a process of its own, whose memory is its alone. */
async function repair(servers: readonly Server[], { from, to }: Range, isGentle: boolean): Promise<Repair> {
  const env = {
    SERVERS: JSON.stringify(servers),
    RANGE: JSON.stringify({ from, to }),
    GENTLE: isGentle ? "1" : "",
    IGNORED: JSON.stringify(ignored),
    RECORD: join(directory, "filled.json"),
  };
  const program = join(import.meta.dir, "influxdb-repair-program.ts");
  const child = Bun.spawn([process.execPath, program], { env, stdout: "pipe", stderr: "inherit" });
  const told = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error("the repair failed");
  return JSON.parse(told) as Repair;
}

/** Clients of both servers, 1,000 points a second each: how long each write takes, ms, until `end`. */
async function clients(servers: readonly Server[], end: () => boolean): Promise<number> {
  const took: number[] = [];
  const client = async (server: Server) => {
    for (let due = performance.now(); !end(); due += 100) {
      await Bun.sleep(Math.max(0, due - performance.now()));
      const at = Date.now();
      const line = (_: unknown, i: number) =>
        `load,host=h${i} f=${i},n=${i}i,s="text" ${at}${String(i * 1000).padStart(6, "0")}`;
      const body = Array.from({ length: 100 }, line).join("\n");
      const began = performance.now();
      await writeLines(server, { bucket: live, body }, limits);
      took.push(performance.now() - began);
    }
  };
  await Promise.all(servers.map(client));
  return percentiles(took).p99;
}

async function measure(): Promise<Measured> {
  const started = await Promise.all(
    addresses.map((address, i) =>
      startInfluxd(binary, { directory: join(directory, `server${i + 1}`), address, mebibytes: 2048 }),
    ),
  );
  const servers = started.map(({ server }) => server);
  const [one, two] = servers as [Server, Server];
  for (const server of servers) {
    const { orgId } = await findBucket(server, "chime", limits);
    for (const name of [bucket, live, probeBucket.name])
      await createBucket(server, { orgId, name, retentionSeconds: 0 }, limits);
  }
  await load(servers);
  const measured: Measured = { found: [], repaired: [], filled: [], memory: [], calm: [], filling: [] };
  for (let round = 0; round < Number(rounds); round++) {
    await lose(two, range(2_000, 2_110));
    const began = performance.now();
    const options = { limits, now: Date.now(), ignored };
    const gaps = await Array.fromAsync(findGaps(one, two, range(0, seconds), options));
    measured.found.push((performance.now() - began) / 1000);
    if (gaps.length !== 5) throw new Error(`found ${gaps.length} gaps in five measurements`);
    measured.repaired.push((await repair(servers, range(0, seconds), false)).seconds);
    await lose(two, range(1_000, 2_000));
    const million = await repair(servers, range(900, 2_100), false);
    measured.filled.push(million.points / million.seconds);
    measured.memory.push(million.megabytes);
    const until = performance.now() + 15_000;
    measured.calm.push(await clients(servers, () => performance.now() > until));
    await lose(two, range(3_000, 3_300));
    let isFilled = false;
    const gentle = repair(servers, range(2_900, 3_400), true).finally(() => (isFilled = true));
    measured.filling.push(await clients(servers, () => isFilled));
    await gentle;
  }
  for (const { process: server } of started) server.signal("SIGKILL");
  return measured;
}

console.log(JSON.stringify(await measure()));

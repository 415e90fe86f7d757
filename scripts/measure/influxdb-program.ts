/** What influxdb.ts runs in namespaces of its own. */
import { join } from "node:path";
import { createBucket, findBucket } from "../../src/roles/influxdb/buckets.ts";
import type { Server } from "../../src/roles/influxdb/client.ts";
import { bothIncluded, deletePoints } from "../../src/roles/influxdb/delete.ts";
import { findGaps } from "../../src/roles/influxdb/gap/windows.ts";
import type { Range } from "../../src/roles/influxdb/gap/time.ts";
import { probeBucket } from "../../src/roles/influxdb/layout.ts";
import { startInfluxd } from "../../test/lab/influxdb-server.ts";
import { addresses } from "../../test/lab/namespaces.ts";
import { loadPoints } from "./points.ts";

/** Seconds, points a second, MB. */
export interface Measured {
  found: number[];
  repaired: number[];
  filled: number[];
  memory: number[];
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
const ignored = ["chime", probeBucket.name];
const seconds = 5_000;
/** A Monday: all of it lies in one shard. */
const start = Date.parse("2026-11-16T00:00:00Z");

const range = (from: number, to: number): Range => ({ from: start + from * 1000, to: start + to * 1000 });

/** Takes from a server what it has of that time. */
async function lose(server: Server, range: Range): Promise<void> {
  await deletePoints(server, { bucket, ...bothIncluded(range), predicate: "" }, limits);
}

/** In a process of its own, whose memory is its alone. */
async function repair(servers: readonly Server[], { from, to }: Range): Promise<Repair> {
  const env = {
    SERVERS: JSON.stringify(servers),
    RANGE: JSON.stringify({ from, to }),
    IGNORED: JSON.stringify(ignored),
    RECORD: join(directory, "filled.json"),
  };
  const program = join(import.meta.dir, "influxdb-repair-program.ts");
  const child = Bun.spawn([process.execPath, program], { env, stdout: "pipe", stderr: "inherit" });
  const told = await child.stdout.text();
  if ((await child.exited) !== 0) throw new Error("the repair failed");
  return JSON.parse(told) as Repair;
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
    for (const name of [bucket, probeBucket.name])
      await createBucket(server, { orgId, name, retentionSeconds: 0 }, limits);
  }
  await loadPoints(servers, { bucket, start, seconds });
  const measured: Measured = { found: [], repaired: [], filled: [], memory: [] };
  for (let round = 0; round < Number(rounds); round++) {
    await lose(two, range(2_000, 2_110));
    const began = performance.now();
    const options = { limits, now: Date.now(), ignored };
    const gaps = await Array.fromAsync(findGaps(one, two, range(0, seconds), options));
    measured.found.push((performance.now() - began) / 1000);
    if (gaps.length !== 5) throw new Error(`found ${gaps.length} gaps in five measurements`);
    measured.repaired.push((await repair(servers, range(0, seconds))).seconds);
    await lose(two, range(1_000, 2_000));
    const million = await repair(servers, range(900, 2_100));
    measured.filled.push(million.points / million.seconds);
    measured.memory.push(million.megabytes);
  }
  for (const { process: server } of started) server.signal("SIGKILL");
  return measured;
}

console.log(JSON.stringify(await measure()));

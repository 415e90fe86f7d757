import { join } from "node:path";
import { percentiles } from "../../src/operations/drill/histogram.ts";
import type { Range } from "../../src/roles/influxdb/gap/time.ts";
import type { CompareResult } from "../../src/operations/influxdb.ts";
import { chime } from "../../test/lab/chime.ts";
import type { LabNode } from "../../test/lab/node.ts";
import type { Running } from "../../test/lab/process.ts";
import { readFrom, untilComplete } from "../../test/lab/twin-faults.ts";
import { formTwins, openTwinLab, recordOf, shown } from "../../test/lab/twins.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import { median, type Row } from "./row.ts";
import type { FillSettings } from "./twin-fill-program.ts";

type Progress = (line: string) => void;

const seconds = 1_000;
const calmMs = 30_000;
/** An agent gives memory back a quarter of a minute after its start. */
const settleMs = 20_000;
const limitMs = 900_000;

/** What a node's agent needs to fill a million points while clients write to both, and what those feel. */
interface Filled {
  seconds: number;
  /** The most that its process ever had in memory, MB. */
  megabytes: number;
  /** Of clients' writes, p99, ms. */
  calm: number;
  filling: number;
}

/** One of two real nodes loses its data, a million points among them: its own agent fills its server anew, beside the clients. */
export async function measureTwinFill(influxd: string, runs: number, progress: Progress): Promise<Row[]> {
  const all: Filled[] = [];
  for (let run = 1; run <= runs; run++) {
    const filled = await fillOnce(influxd);
    all.push(filled);
    const { seconds, megabytes, calm, filling } = filled;
    progress(
      `influxdb: filled by an agent in ${seconds.toFixed(1)} s with ${megabytes} MB, p99 ${filling.toFixed(1)} instead of ${calm.toFixed(1)} ms`,
    );
  }
  const of = (one: keyof Filled) => all.map((filled) => filled[one]);
  const ratio = median(all.map(({ calm, filling }) => filling / calm));
  return [
    {
      name: "a server without data, 1 M points and clients beside it: filled by its agent in",
      values: of("seconds"),
      unit: "s",
      target: null,
    },
    {
      name: "  memory of that agent, at most (VmHWM)",
      values: of("megabytes"),
      unit: "MB",
      target: 150,
      by: "worst",
    },
    { name: "clients' writes of 100 points, p99 without it", values: of("calm"), unit: "ms", target: null },
    { name: "  while that agent fills", values: of("filling"), unit: "ms", target: null },
    { name: "  against without", values: [ratio], unit: "×", target: 2 },
  ];
}

async function fillOnce(influxd: string): Promise<Filled> {
  await using lab = await openTwinLab(influxd);
  await formTwins(lab);
  await untilComplete(lab);
  const source = await readFrom(lab);
  const node = lab.nodes.find((one) => one !== source) as LabNode;
  const { org, bucket, token } = await shown(node);
  const start = Math.floor(Date.now() / 1000) * 1000 - 5 * 3_600_000;
  const servers = [source, node].map(({ address }) => ({ address, port: 8086, org, token }));
  const settings: FillSettings = { servers, bucket, start, seconds };
  const argv = [process.execPath, join(import.meta.dir, "twin-fill-program.ts")];
  const clients = lab.client.start(argv, { stdin: JSON.stringify(settings) });
  await waitUntil("the servers to have their points", limitMs, () => {
    if (clients.ended) throw new Error(`the clients ended: ${clients.lines.slice(-3).join(" | ")}`);
    return clients.lines.includes("loaded");
  });
  await Bun.sleep(settleMs);
  const agent = await node.mainPid("chime-node");
  // From here on: it has given back what only its start needed (proc_pid_clear_refs(5)).
  await node.sh(`echo 5 > /proc/${agent}/clear_refs`);
  const before = await calmTime();
  await node.sh(
    "systemctl kill --signal=KILL influxdb; rm -rf /var/lib/influxdb/engine /var/lib/influxdb/influxd.*",
  );
  await waitUntil("the agent to have its server know what the other one knows", limitMs, () => lacks(node));
  const from = Date.now();
  await waitUntil("the agent to have filled it", limitMs, async () => !(await lacks(node)), 200);
  const to = Date.now();
  const megabytes = await greatestSize(node, agent);
  await Bun.sleep(settleMs);
  const after = await calmTime();
  clients.signal("SIGTERM");
  await clients.exited;
  const [first, end] = [start, start + seconds * 1000].map((at) => new Date(at).toISOString());
  const words = ["influxdb", "compare", "--from", `${first}`, "--to", `${end}`];
  const { gaps } = (await chime<CompareResult>(node, words)).json;
  if (gaps?.length !== 0) throw new Error(`what the agent filled differs: ${JSON.stringify(gaps)}`);
  return {
    seconds: (to - from) / 1000,
    megabytes,
    // Servers merge what they have just been given: the calmer one counts.
    calm: Math.min(...[before, after].map((calm) => slowest(clients, calm))),
    filling: slowest(clients, { from, to }),
  };
}

/** Its server is a new one, and is filled with all there is. */
async function lacks(node: LabNode): Promise<boolean> {
  const { outages } = await recordOf(node);
  return outages.some(({ from, to, sure }) => from === 0 && to !== null && sure);
}

/** Of a process, since it was last forgotten, MB. */
async function greatestSize(node: LabNode, pid: number): Promise<number> {
  const { stdout } = await node.run(["cat", `/proc/${pid}/status`]);
  return Math.round((Number(/^VmHWM:\s+(\d+) kB/m.exec(stdout)?.[1]) * 1024) / 1e6);
}

/** Nothing is done in it that is not done all the time. */
async function calmTime(): Promise<Range> {
  const from = Date.now();
  await Bun.sleep(calmMs);
  return { from, to: Date.now() };
}

/** p99 of the writes that were begun in that time, ms. */
function slowest(clients: Running, { from, to }: Range): number {
  const writes = clients.lines.flatMap((line) => {
    const [at = Number.NaN, ms = Number.NaN] = line.split(" ").map(Number);
    return at >= from && at <= to ? [ms] : [];
  });
  return percentiles(writes).p99;
}

import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { chime } from "../../test/lab/chime.ts";
import { formPair, initialize, joinBoth, startWriters } from "../../test/lab/pair.ts";
import { labStage } from "../../test/lab/faults.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import { median, type Row } from "./row.ts";
import { agentUsage } from "./usage.ts";

type Progress = (line: string) => void;

/** Seconds. What was written before, as the programs that a lab has just got, is on the disk first: it is no part of the work. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  await Bun.spawn(["sync"]).exited;
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** What a careful administrator would type to get the same packages, and nothing more. */
const install =
  "apt-get update -q && apt-get install -y -q --no-install-recommends mariadb-server mariadb-backup keepalived";

export async function installBare(lab: Lab): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await Promise.all(lab.nodes.map((node) => node.sh(install, { env, timeoutMs: 600_000 })));
}

/** Bare nodes to a serving pair, in turns with installing the same packages on two bare nodes at once. */
export async function measureForming(binary: string, runs: number, progress: Progress): Promise<Row[]> {
  const bare: number[] = [];
  const init: number[] = [];
  const joins: number[] = [];
  const packages = new Set<string>();
  for (let i = 1; i <= runs; i++) {
    progress(`form: ${i} of ${runs}`);
    await withBareNodes(progress, async (lab) => {
      bare.push(await timed(() => installBare(lab)));
      for (const node of lab.nodes) packages.add(await installed(node));
    });
    await withBareNodes(progress, async (lab) => {
      for (const node of lab.nodes) await node.install(binary);
      const start = performance.now();
      const created = await initialize(lab);
      init.push((performance.now() - start) / 1000);
      joins.push(await timed(() => joinBoth(lab, created)));
      for (const node of lab.nodes) packages.add(await installed(node));
    });
  }
  if (packages.size > 1)
    throw new Error("the pair and the bare installation have different packages: compare them");
  const total = joins.map((seconds, i) => seconds + (init[i] ?? 0));
  return [
    { name: "the same packages on two bare nodes", values: bare, unit: "s", target: null },
    { name: "two bare nodes to a serving pair, both joins at once", values: joins, unit: "s", target: null },
    { name: "  against the packages", values: [median(joins) / median(bare)], unit: "×", target: 1.25 },
    { name: "  with init before them", values: total, unit: "s", target: null },
    { name: "  against the packages", values: [median(total) / median(bare)], unit: "×", target: null },
  ];
}

async function installed(node: LabNode): Promise<string> {
  return (await node.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n"])).stdout;
}

export async function withBareNodes(progress: Progress, work: (lab: Lab) => Promise<void>): Promise<void> {
  await using lab = await Lab.open({ nodes: ["node1", "node2"], progress });
  await work(lab);
}

/** A pair that is level, for the rows that need one. */
export async function withPair(progress: Progress, work: (lab: Lab) => Promise<void>): Promise<void> {
  await withBareNodes(progress, async (lab) => {
    progress("forming the pair that the other rows need");
    await formPair(lab);
    await untilProtected(lab);
    await work(lab);
  });
}

/** Kills and power cuts under one writer; rows are compared once the pair is level after the last one. */
export async function measureFailover(lab: Lab, runs: number, progress: Progress): Promise<Row[]> {
  const writers = await startWriters(lab, { connections: 1 });
  const kinds = [...Array<"kill">(runs).fill("kill"), ...Array<"power">(runs).fill("power")];
  const rounds = await rehearse(labStage(lab, writers), kinds, {
    before: (kind, nth) => progress(`failover: ${kind}, ${nth} of ${kinds.length}`),
  });
  const seen = (kind: string) =>
    rounds.filter((round) => round.kind === kind).map(({ outage }) => outage.ms / 1000);
  const acknowledged = await writers.stop();
  const missing: number[] = [];
  for (const node of lab.nodes) missing.push((await writers.missingOn(node)).length);
  progress(`failover: ${acknowledged.length} rows acknowledged`);
  return [
    {
      name: "kill -9 of the server to the next acknowledged write",
      values: seen("kill"),
      unit: "s",
      target: 0.6,
    },
    { name: "power cut of the writer's node to the next one", values: seen("power"), unit: "s", target: 1.4 },
    { name: "acknowledged rows missing on either node", values: missing, unit: "rows", target: 0, by: "sum" },
  ];
}

/** What an agent compiles in its first seconds is not rest. */
const settleMs = 20_000;

/** What a pair costs that nobody disturbs: `apply` with nothing to do, and the agents. */
export async function measureRest(
  lab: Lab,
  runs: number,
  seconds: number,
  progress: Progress,
): Promise<Row[]> {
  progress(`apply: ${runs} times with nothing to do`);
  const [first] = lab.nodes as [LabNode];
  const walls: number[] = [];
  const changes: number[] = [];
  const before = await runningSince(first);
  for (let i = 0; i < runs; i++) {
    let changed: unknown[] = [];
    const apply = async () => {
      changed = (await chime<{ changes: unknown[] }>(first, ["apply", "--yes"])).json.changes;
    };
    walls.push(await timed(apply));
    changes.push(changed.length);
  }
  const restarted = (await runningSince(first)) === before ? 0 : 1;

  progress(`agent: at rest for ${seconds} s`);
  await Bun.sleep(settleMs);
  const usage = await Promise.all(lab.nodes.map((node) => agentUsage(node, seconds)));
  return [
    { name: "apply with nothing to do", values: walls, unit: "s", target: 1 },
    {
      name: "  changes made, services restarted",
      values: [...changes, restarted],
      unit: "changes",
      target: 0,
      by: "sum",
    },
    {
      name: "agent at rest, memory (PSS)",
      values: usage.map((u) => u.megabytes),
      unit: "MB",
      target: 60,
      by: "worst",
    },
    {
      name: "agent at rest, of one core",
      values: usage.map((u) => u.percent),
      unit: "%",
      target: 1,
      by: "worst",
    },
  ];
}

/** Changes when any of the services was restarted. */
async function runningSince(node: LabNode): Promise<string> {
  const units = ["mariadb", "keepalived", "chime-node"];
  return (await node.run(["systemctl", "show", "-p", "MainPID,ActiveEnterTimestampMonotonic", ...units]))
    .stdout;
}

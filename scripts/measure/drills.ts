import { rehearse, type Round } from "../../src/operations/drill/run.ts";
import { faults, labStage, type FaultKind } from "../../test/lab/faults.ts";
import { interrupted, Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { formPair, joinWitness, startWriters } from "../../test/lab/pair.ts";
import { commitTimes, dualMoments, Prober } from "../../test/lab/prober.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import type { Writers } from "../../test/lab/writer.ts";
import type { Row } from "./row.ts";

/** One line of the matrix: a fault and what is promised of the pause that clients see, s. */
interface Line {
  kind: FaultKind;
  name: string;
  median: number | null;
  worst?: number;
  /** Instead of as many as the others: what is said of the worst wants many. */
  rounds?: number;
}

const matrix: readonly Line[] = [
  { kind: "kill", name: "kill -9 of the writing server", median: 0.5, worst: 1.0, rounds: 20 },
  { kind: "power", name: "power cut of the writer's node", median: 1.2, rounds: 10 },
  { kind: "replica-power", name: "power cut of the replica's node: pause of writes", median: 1.5 },
  { kind: "hang", name: "hung server (SIGSTOP)", median: 3 },
  { kind: "switchover", name: "switchover", median: 0.3 },
  { kind: "cut", name: "writer cut off, its link up", median: null },
  { kind: "cut-carrier", name: "writer cut off, its link down", median: null },
  { kind: "freeze", name: "writer's data disk frozen", median: null },
  { kind: "loss", name: "10 % loss at the writer for 10 s: longest pause", median: null },
  { kind: "both", name: "both servers killed at once", median: null },
  { kind: "one-back", name: "both without power, the writer's back first", median: null },
  { kind: "replica-kill", name: "kill -9 of the replica's server", median: null },
  { kind: "agent", name: "kill -9 of the writer's agent", median: null },
  { kind: "keepalived", name: "kill -9 of the writer's keepalived", median: null },
];

/** Only with a third voter: without one, two writers are conceded there. */
const withWitness: typeof matrix = [
  { kind: "cut-peer", name: "nodes cut from each other, clients reach both", median: null },
  { kind: "deaf-replica", name: "replica does not hear the writer", median: null },
  { kind: "deaf-writer", name: "writer does not hear the replica", median: null },
];

/** About a hundred drills in all. */
const usualRounds = 6;

/** Names that `--kind` takes. */
export const drillKinds = Object.keys(faults) as FaultKind[];

export interface DrillsOptions {
  /** Of each fault; undefined: so many that there are a hundred drills. */
  rounds: number | undefined;
  /** With a third member that votes, or without. */
  witness: boolean;
  /** Empty: the whole matrix. */
  kinds: readonly FaultKind[];
}

const data = { path: "/var/lib/mysql", sizeMiB: 1_024 };

/**
 * Every fault, some rounds each in turns, on one pair under one writer, with a prober on both nodes. Rows are compared at
 * the end; a fault after which the pair does not get level again ends the drills, and the table says so.
 */
export async function measureDrills(
  options: DrillsOptions,
  progress: (line: string) => void,
): Promise<Row[]> {
  const pair = ["node1", "node2"];
  const all = options.witness ? [...matrix, ...withWitness] : matrix;
  const lines = options.kinds.length > 0 ? all.filter(({ kind }) => options.kinds.includes(kind)) : all;
  if (lines.length === 0) return [];
  await using lab = await Lab.open({
    nodes: [...pair.map((name) => ({ name, data })), ...(options.witness ? ["node3"] : [])],
    progress,
  });
  const { token } = await formPair(lab);
  if (options.witness) await joinWitness(lab.node("node3"), token);
  await untilProtected(lab);
  const writers = await startWriters(lab);
  const prober = await Prober.start(lab, pair);

  const kinds = mixed(lines, options.rounds);
  const rounds: Round[] = [];
  const start = performance.now();
  const endedEarly = await rehearse(labStage(lab, writers), kinds, {
    before: (kind, nth) => progress(`drills: ${kind}, ${nth} of ${kinds.length}`),
    told(round) {
      const { kind, outage } = round;
      rounds.push(round);
      progress(`drills: ${kind}: ${Math.round(outage.ms)} ms${outage.ended ? "" : ", not ended"}`);
    },
  }).then(
    () => undefined,
    (error: Error) =>
      `ended by ${kinds[rounds.length]}, ${rounds.length} of ${kinds.length} done: ${error.message}`,
  );
  if (interrupted()) throw new Error("interrupted");
  const minutes = (performance.now() - start) / 60_000;

  const acknowledged = await writers.stop();
  const probed = dualMoments(await prober.stop());
  const nodes = pair.map((name) => lab.node(name));
  const missing = await Promise.all(nodes.map((node) => missingOn(node, writers)));
  // Not where the server does not answer: then its rows are missing above.
  const committed = missing[0] === 0 ? await commitTimes(nodes[0] as LabNode, writers) : [];
  progress(
    `drills: ${acknowledged.length} rows acknowledged, ${committed.length} with their server, ${prober.probes.length} probes`,
  );
  return [
    ...lines.flatMap((line) => rowsOf(line, rounds)),
    { name: "acknowledged rows missing on either node", values: missing, unit: "rows", target: 0, by: "sum" },
    moments("moments with both nodes acknowledging, by the prober", probed),
    moments("moments with both nodes acknowledging, by commit times", dualMoments(committed)),
    {
      name: `drills done, in ${minutes.toFixed(0)} min`,
      values: [rounds.length],
      unit: "drills",
      target: null,
    },
    {
      name: endedEarly ?? "drills after which the pair was not level",
      values: [endedEarly === undefined ? 0 : 1],
      unit: "drills",
      target: 0,
      by: "sum",
    },
  ];
}

/** In turns, so that each fault comes after each other one; those of which there are more are spread over the rest. */
function mixed(lines: readonly Line[], given: number | undefined): FaultKind[] {
  const all = lines.flatMap(({ kind, rounds = usualRounds }) => {
    const count = given ?? rounds;
    return Array.from({ length: count }, (_, i) => ({ kind, at: (i + 0.5) / count }));
  });
  return all.sort((a, b) => a.at - b.at).map(({ kind }) => kind);
}

function moments(name: string, found: readonly unknown[]): Row {
  return { name, values: [found.length], unit: "moments", target: 0, by: "sum" };
}

/** What was received is applied within milliseconds: counted is what does not come, all where nobody answers. */
export async function missingOn(node: LabNode, writers: Writers): Promise<number> {
  let missing = (await writers.acknowledged()).length;
  const none = async () => {
    missing = await writers.missingOn(node).then(
      ({ length }) => length,
      () => missing,
    );
    return missing === 0;
  };
  await waitUntil("the last rows", 10_000, none, 100).catch(() => undefined);
  return missing;
}

function rowsOf({ kind, name, median, worst }: Line, rounds: readonly Round[]): Row[] {
  const values = rounds.filter((round) => round.kind === kind).map(({ outage }) => outage.ms / 1000);
  if (values.length === 0) return [];
  const row: Row = { name, values, unit: "s", target: median, spread: "percentiles" };
  return worst === undefined ? [row] : [row, { ...row, name: "  the worst", target: worst, by: "worst" }];
}

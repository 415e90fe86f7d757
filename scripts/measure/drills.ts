import { rehearse, type Round } from "../../src/operations/drill/run.ts";
import { faults, labStage, type FaultKind } from "../../test/lab/faults.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { formPair, joinWitness, startWriters } from "../../test/lab/pair.ts";
import { dualMoments, Prober } from "../../test/lab/prober.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import type { Writers } from "../../test/lab/writer.ts";
import type { Row } from "./row.ts";

/** One line of the matrix: a fault and what is promised of the pause that clients see, s. */
const matrix: readonly { kind: FaultKind; name: string; median: number | null; worst?: number }[] = [
  { kind: "kill", name: "kill -9 of the writing server", median: 0.5, worst: 1.0 },
  { kind: "power", name: "power cut of the writer's node", median: 1.2 },
  { kind: "replica-power", name: "power cut of the replica's node: pause of writes", median: 1.5 },
  { kind: "hang", name: "hung server (SIGSTOP)", median: 3 },
  { kind: "switchover", name: "switchover", median: 0.3 },
  { kind: "cut", name: "writer cut off, its link up", median: null },
  { kind: "cut-carrier", name: "writer cut off, its link down", median: null },
  { kind: "freeze", name: "writer's data disk frozen", median: null },
  { kind: "loss", name: "10 % loss at the writer for 10 s: longest pause", median: null },
  { kind: "both", name: "both servers killed at once", median: null },
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

/** Names that `--kind` takes. */
export const drillKinds = Object.keys(faults) as FaultKind[];

export interface DrillsOptions {
  rounds: number;
  /** With a third member that votes, or without; undefined: first with, then without. */
  witness: boolean | undefined;
  /** Empty: the whole matrix. */
  kinds: readonly FaultKind[];
}

const data = { path: "/var/lib/mysql", sizeMiB: 1_024 };

/** The matrix, with a witness and without: the rows of one after those of the other. */
export async function measureDrills(
  options: DrillsOptions,
  progress: (line: string) => void,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const witness of options.witness === undefined ? [true, false] : [options.witness]) {
    for (const row of await measureMatrix({ ...options, witness }, progress)) {
      rows.push({ ...row, name: `${witness ? "witness" : "two nodes"}: ${row.name}` });
    }
  }
  return rows;
}

/**
 * Every fault, some rounds each, on one pair under one writer, with a prober on both nodes. Rows are compared at the
 * end; a fault after which the pair does not get level again ends the run with an error.
 */
async function measureMatrix(
  options: DrillsOptions & { witness: boolean },
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
  const kinds = lines.flatMap(({ kind }) => Array<FaultKind>(options.rounds).fill(kind));
  const rounds = await rehearse(labStage(lab, writers), kinds, {
    before: (kind, nth) => progress(`drills: ${kind}, ${nth} of ${kinds.length}`),
    told: ({ kind, outage }) =>
      progress(`drills: ${kind}: ${Math.round(outage.ms)} ms${outage.ended ? "" : ", not ended"}`),
  });
  const acknowledged = await writers.stop();
  const dual = dualMoments(await prober.stop());
  const missing = await Promise.all(pair.map((name) => missingOn(lab.node(name), writers)));
  progress(`drills: ${acknowledged.length} rows acknowledged, ${prober.probes.length} probes`);
  return [
    ...lines.flatMap((line) => rowsOf(line, rounds)),
    { name: "acknowledged rows missing on either node", values: missing, unit: "rows", target: 0, by: "sum" },
    {
      name: "moments with both nodes acknowledging",
      values: [dual.length],
      unit: "moments",
      target: 0,
      by: "sum",
    },
  ];
}

/** What was received is applied within milliseconds: counted is what does not come. */
export async function missingOn(node: LabNode, writers: Writers): Promise<number> {
  let missing = 0;
  const none = async () => {
    missing = (await writers.missingOn(node)).length;
    return missing === 0;
  };
  await waitUntil("the last rows", 10_000, none, 100).catch(() => undefined);
  return missing;
}

function rowsOf({ kind, name, median, worst }: (typeof matrix)[number], rounds: readonly Round[]): Row[] {
  const values = rounds.filter((round) => round.kind === kind).map(({ outage }) => outage.ms / 1000);
  const row: Row = { name, values, unit: "s", target: median };
  return worst === undefined ? [row] : [row, { ...row, name: "  the worst", target: worst, by: "worst" }];
}

import { availableParallelism } from "node:os";
import type { HistoryEvent } from "../../src/agent/event.ts";
import { BusyCores } from "../../test/lab/busy.ts";
import { chime } from "../../test/lab/chime.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { formPair, joinWitness, startWriters, writerOf } from "../../test/lab/pair.ts";
import { dualMoments, Prober } from "../../test/lab/prober.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { missingOn } from "./drills.ts";
import type { Row } from "./row.ts";

const lossPercent = 10;
/** A pause that people notice. */
const noticedMs = 1_000;
const tellMs = 30_000;

/**
 * A busy node in a bad network is no dead one: nobody takes over, and what was acknowledged is there.
 * @param witness with a third member that votes, or without
 */
export async function measureStorm(
  { seconds, witness }: { seconds: number; witness: boolean },
  progress: (line: string) => void,
): Promise<Row[]> {
  const names = ["node1", "node2"];
  await using lab = await Lab.open({ nodes: witness ? [...names, "node3"] : names, progress });
  const { token } = await formPair(lab);
  if (witness) await joinWitness(lab.node("node3"), token);
  await untilProtected(lab);
  const pair = names.map((name) => lab.node(name));
  const { writer } = await writerOf(lab);
  const writers = await startWriters(lab);
  const prober = await Prober.start(lab, names);

  const before = (await promotions(writer)).length;
  const from = Date.now();
  // What is left of them when something fails ends soon after the storm should have.
  const busy = pair.map((node) => new BusyCores(node, seconds + 60));
  await lab.network.addFault({ kind: "loss", port: "all", permille: lossPercent * 10 });
  progress(`storm: ${seconds} s, all cores busy on both nodes, ${lossPercent} % of all frames lost`);
  for (let left = seconds * 1000; left > 0; left -= tellMs) {
    await Bun.sleep(Math.min(left, tellMs));
    const rows = (await writers.acknowledged()).filter(({ at }) => at >= from);
    progress(`storm: ${Math.round((Date.now() - from) / 1000)} s, ${rows.length} rows acknowledged`);
  }
  const busyToTheEnd = busy.every(({ running }) => running === availableParallelism());
  const rows = (await writers.acknowledged()).filter(({ at }) => at >= from);
  // One that has not ended counts as well.
  const pauses = [...rows.map(({ at }) => at), Date.now()].map((at, i) => at - (rows[i - 1]?.at ?? from));
  await lab.network.healAll();
  for (const loops of busy) await loops.stop();
  if (!busyToTheEnd) throw new Error("not all cores were busy to the end");

  await untilProtected(lab);
  const promoted = (await promotions(writer)).slice(before);
  for (const { at, message } of promoted) progress(`storm: ${at} ${message}`);
  await writers.stop();
  const dual = dualMoments(await prober.stop());
  const missing = await Promise.all(pair.map((node) => missingOn(node, writers)));
  return [
    {
      name: `failovers in ${seconds / 60} min of full CPU load and ${lossPercent} % loss`,
      values: [promoted.length],
      unit: "failovers",
      target: 0,
      by: "sum",
    },
    { name: "  rows acknowledged meanwhile", values: [rows.length], unit: "rows", target: null },
    { name: "  the longest pause", values: [Math.max(...pauses) / 1000], unit: "s", target: null },
    {
      name: `  pauses of more than ${noticedMs / 1000} s`,
      values: [pauses.filter((ms) => ms > noticedMs).length],
      unit: "pauses",
      target: null,
    },
    {
      name: "  acknowledged rows missing on either node",
      values: missing,
      unit: "rows",
      target: 0,
      by: "sum",
    },
    {
      name: "  moments with both nodes acknowledging",
      values: [dual.length],
      unit: "moments",
      target: 0,
      by: "sum",
    },
  ];
}

/** Each time that a node opened for writes, by what all members remember. */
async function promotions(node: LabNode): Promise<HistoryEvent[]> {
  const { json } = await chime<{ events: HistoryEvent[]; silent: string[] }>(node, ["history"]);
  if (json.silent.length > 0) throw new Error(`the history of ${json.silent.join(", ")} is missing`);
  return json.events.filter(({ kind }) => kind === "promotion");
}

import { histogram } from "../../src/operations/drill/histogram.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import { influxdBinary } from "../../test/lab/influxdb-binary.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { Initialized } from "../../test/lab/pair.ts";
import { PointLoad } from "../../test/lab/point-load.ts";
import { LabUnavailable } from "../../test/lab/prerequisites.ts";
import { twinFaults, twinStage, untilComplete, type TwinFault } from "../../test/lab/twin-faults.ts";
import { joinTwin, openTwinLab, twinInit, twinVip } from "../../test/lab/twins.ts";
import { step, told, typed, type Times } from "./told.ts";

/**
 * Two bare nodes become InfluxDB twins, lose a server and a node, and each gap is found and filled.
 * @throws LabUnavailable where InfluxDB cannot be built
 */
export async function demonstrateTwins({ kills, cuts }: Times): Promise<number> {
  const influxd = await influxdBinary(step);
  if (influxd === undefined) {
    throw new LabUnavailable(
      "the demo of twins builds InfluxDB, and needs Go >= 1.24, Rust and their modules for that",
    );
  }
  await using lab = await openTwinLab(influxd, { prepared: false });
  step(`${lab.nodes.length} bare servers run: ${lab.nodes.map(({ name }) => name).join(", ")}`);
  await form(lab);
  await untilComplete(lab);
  const load = await PointLoad.start(lab);
  step("a client writes 1,000 points a second to both servers, four others read through the VIP");

  const kinds: TwinFault[] = [
    ...Array.from({ length: kills }, () => "kill" as const),
    ...Array.from({ length: cuts }, () => "power" as const),
  ];
  const rounds = await rehearse(twinStage(lab, load, step), kinds, {
    told: (round) => told(round, twinFaults[round.kind].name, "its gap is filled and proven filled", "reads"),
  });

  step("reading every point back from each server");
  const { points, misread, missing } = await load.report();
  console.log(`\ntimes without an answered read\n${histogram(rounds.map(({ outage }) => outage.ms))}`);
  for (const { name, address } of lab.nodes) {
    console.log(`points acknowledged ${points}, missing on ${name}: ${missing[address]}`);
  }
  console.log(`read as something else through the VIP: ${misread}`);
  const isWhole = Object.values(missing).every((count) => count === 0) && misread === 0;
  return isWhole && rounds.every(({ outage }) => outage.ended) ? 0 : 1;
}

async function form(lab: Lab): Promise<void> {
  const [first] = lab.nodes;
  if (!first) throw new Error("the lab did not open its nodes");
  const init = ["chime-node", ...twinInit()];
  typed(first, init);
  const { token } = JSON.parse((await first.run([...init, "--json"])).stdout) as Initialized;
  const begun = performance.now();
  for (const node of lab.nodes) {
    const environment = node === first ? "" : `CHIME_TOKEN=${token.slice(0, 14)}… `;
    typed(node, ["chime-node", "join", "--role", "influxdb"], environment);
  }
  await Promise.all(lab.nodes.map((node) => joinTwin(node, token)));
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  step(`twins serve, and are read at ${twinVip}:8086 (both joins: ${seconds} s)`);
}

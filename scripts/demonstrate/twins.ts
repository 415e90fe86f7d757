import type { Status } from "../../src/agent/status.ts";
import { histogram } from "../../src/operations/drill/histogram.ts";
import { rehearse, type Stage } from "../../src/operations/drill/run.ts";
import { chime } from "../../test/lab/chime.ts";
import { influxdBinary } from "../../test/lab/influxdb-binary.ts";
import type { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import type { Initialized } from "../../test/lab/pair.ts";
import { PointLoad } from "../../test/lab/point-load.ts";
import { LabUnavailable } from "../../test/lab/prerequisites.ts";
import { joinTwin, openTwinLab, twinInit, twinStatus, twinVip } from "../../test/lab/twins.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import { step, told, typed, type Times } from "./told.ts";

const faults = {
  kill: "kill -9 of the server that is read from, on",
  power: "power cut of the node that is read from,",
} as const;
type Fault = keyof typeof faults;

/** Clients try again at once; an outage that begins later is another one. */
const settleMs = 500;

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

  const kinds: Fault[] = [
    ...Array.from({ length: kills }, () => "kill" as const),
    ...Array.from({ length: cuts }, () => "power" as const),
  ];
  const rounds = await rehearse(stage(lab, load), kinds, {
    told: (round) => told(round, faults[round.kind], "its gap is filled and proven filled", "reads"),
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

function stage(lab: Lab, load: PointLoad): Stage<Fault> {
  return {
    async strike(kind) {
      const victim = await readFrom(lab);
      const at = kind === "kill" ? await victim.kill("influxdb") : await victim.powerOff();
      const mend = kind === "power" ? { mend: () => victim.boot() } : {};
      return { victim: victim.name, at, settleMs, ...mend };
    },
    async untilLevel() {
      await showGap(lab);
      await untilComplete(lab);
    },
    acknowledged: () => load.acknowledged(),
  };
}

async function readFrom(lab: Lab): Promise<LabNode> {
  const [node] = lab.nodes;
  const { json } = await chime<Status>(node as LabNode, ["status"]);
  return lab.node(json.vips[0]?.holders[0] ?? "");
}

/** What `status` says as soon as the one that was away is heard again. */
async function showGap(lab: Lab): Promise<void> {
  const [node] = lab.nodes;
  await waitUntil("a gap, or that all is well", 60_000, async () => {
    const { json } = await chime<Status>(node as LabNode, ["status"]);
    const gap = json.problems?.find(({ code }) => code === "influxdb.gap");
    if (gap) step(`status: ${gap.code}: ${gap.message}`);
    return gap !== undefined || json.healthy;
  });
}

async function untilComplete(lab: Lab): Promise<void> {
  const [node] = lab.nodes;
  await waitUntil("both to have everything", 90_000, async () => {
    const { json } = await chime<Status>(node as LabNode, ["status"]);
    const { nodes } = await twinStatus(node as LabNode);
    return json.healthy && nodes.every(({ state, complete }) => state === "serving" && complete);
  });
}

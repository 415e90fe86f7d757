import type { ObjectFault } from "../../src/operations/drill/objects.ts";
import { chime } from "../../test/lab/chime.ts";
import type { Status } from "../../src/agent/status.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { startObjects } from "../../test/lab/object-load.ts";
import { formStore, openStoreLab } from "../../test/lab/store.ts";
import { waitUntil } from "../../test/lab/wait.ts";
import type { Row } from "./row.ts";

/** Two nodes whose stores copy to each other lose the one that serves, by kill -9 and by power cut in turns. */
export async function measureMirror(
  minio: string,
  rounds: number,
  progress: (line: string) => void,
): Promise<Row[]> {
  await using lab = await openStoreLab(2, 3, minio);
  progress("store: mirror");
  await formStore(lab, { "roles.minio.topology": "mirror" });
  await untilLevel(lab);
  const load = await startObjects(lab);
  const again: number[] = [];
  const level: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    for (const kind of ["kill", "power"] as const) {
      progress(`store: mirror, ${kind}, ${round} of ${rounds}`);
      const victim = lab.node((await statusOf(lab)).vips[0]?.holders[0] ?? "");
      const outage = await load.outageAfter(
        kind === "kill" ? await victim.kill("minio") : await victim.powerOff(),
      );
      again.push(outage.ms / 1000);
      if (kind === "power") await victim.boot();
      const back = performance.now();
      await untilLevel(lab);
      level.push((performance.now() - back) / 1000);
    }
  }
  const { faults, misread } = await load.report();
  const found: (ObjectFault | string)[] = Object.values(faults).flat();
  const undeleted = found.filter((fault) => typeof fault !== "string" && fault.problem === "undeleted");
  return [
    {
      name: "mirror, kill -9 and power cut: writes again",
      values: again,
      unit: "s",
      target: 1.5,
      by: "worst",
    },
    { name: "  both stores level after the return", values: level, unit: "s", target: 20, by: "worst" },
    objects(
      "  acknowledged objects lost or changed on a store at the end",
      found.length - undeleted.length,
      0,
    ),
    objects("  deleted ones that came back (conceded)", undeleted.length, null),
    objects("  reads that gave something older under way (conceded)", misread.length, null),
  ];
}

async function statusOf(lab: Lab): Promise<Status> {
  const node = lab.nodes.find(({ running }) => running);
  if (!node) throw new Error("no node is running");
  return (await chime<Status>(node, ["status"])).json;
}

/** One that may lack something says so, as an error. */
async function untilLevel(lab: Lab): Promise<void> {
  await waitUntil("both stores to be level", 180_000, async () => (await statusOf(lab)).healthy, 250);
}

function objects(name: string, count: number, target: number | null): Row {
  return { name, values: [count], unit: "objects", target };
}

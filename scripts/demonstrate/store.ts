import { histogram } from "../../src/operations/drill/histogram.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import type { Lab } from "../../test/lab/lab.ts";
import { minioBinary } from "../../test/lab/minio-binary.ts";
import { startObjects } from "../../test/lab/object-load.ts";
import type { Initialized } from "../../test/lab/pair.ts";
import { LabUnavailable } from "../../test/lab/prerequisites.ts";
import { joinStore, joinWords, openStoreLab, storeInit, storeVip } from "../../test/lab/store.ts";
import { storeFaults, storeStage, untilWhole, type StoreFault } from "../../test/lab/store-faults.ts";
import { step, told, typed, type Times } from "./told.ts";

const nodes = 3;
const disks = 3;

/**
 * Three bare nodes with three blank disks each become an S3 store, lose a server and a node, and lose no object.
 * @throws LabUnavailable where MinIO cannot be built
 */
export async function demonstrateStore({ kills, cuts }: Times): Promise<number> {
  const minio = await minioBinary(step);
  if (minio === undefined) {
    throw new LabUnavailable(
      "the demo of a store builds MinIO, and needs Go >= 1.24 and its modules for that",
    );
  }
  await using lab = await openStoreLab(nodes, disks, minio, { prepared: false });
  step(
    `${nodes} bare servers run, each with ${disks} blank disks: ${lab.nodes.map(({ name }) => name).join(", ")}`,
  );
  await form(lab);
  await untilWhole(lab);
  step("every balancer gives every server requests");
  const load = await startObjects(lab);
  step("three clients put objects through the VIP, write over, delete and read them, one after the other");

  const kinds = [...turns(kills, ["kill", "kill-other"]), ...turns(cuts, ["power", "power-other"])];
  const rounds = await rehearse(storeStage(lab, load), kinds, {
    told: (round) => told(round, `${storeFaults[round.kind].name},`, "all is on all drives again"),
  });

  step("reading every object back from each node's own server");
  const { faults, misread, requests } = await load.report();
  console.log(`\ntimes in which no object was stored\n${histogram(rounds.map(({ outage }) => outage.ms))}`);
  const stored = requests.filter(
    ({ kind, error }) => error === null && (kind === "put" || kind === "parts"),
  ).length;
  for (const [node, found] of Object.entries(faults)) {
    const lost = typeof found === "string" ? found : `${found.length}`;
    console.log(`objects acknowledged ${stored}, lost or changed on ${node}: ${lost}`);
  }
  console.log(`read as something else under way: ${misread.length}`);
  const isWell = Object.values(faults).every((found) => found.length === 0) && misread.length === 0;
  return isWell && rounds.every(({ outage }) => outage.ended) ? 0 : 1;
}

async function form(lab: Lab): Promise<void> {
  const [first] = lab.nodes;
  if (!first) throw new Error("the lab did not open its nodes");
  const init = ["chime-node", ...storeInit(nodes, disks)];
  typed(first, init);
  const { token } = JSON.parse((await first.run([...init, "--json"])).stdout) as Initialized;
  const begun = performance.now();
  for (const node of lab.nodes) {
    typed(node, joinWords(node), node === first ? "" : `CHIME_TOKEN=${token.slice(0, 14)}… `);
  }
  await Promise.all(lab.nodes.map((node) => joinStore(node, token)));
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  step(`an S3 store serves at ${storeVip}:9000 (all joins: ${seconds} s)`);
}

function turns(count: number, kinds: readonly [StoreFault, StoreFault]): StoreFault[] {
  return Array.from({ length: count }, (_, nth) => kinds[nth % 2 === 0 ? 0 : 1]);
}

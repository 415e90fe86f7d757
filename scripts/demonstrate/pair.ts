import { histogram } from "../../src/operations/drill/histogram.ts";
import { rehearse } from "../../src/operations/drill/run.ts";
import { labStage } from "../../test/lab/faults.ts";
import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import {
  initCommand,
  joinCommand,
  startWriters,
  status,
  vip,
  type Initialized,
} from "../../test/lab/pair.ts";
import { untilProtected } from "../../test/lab/trial.ts";
import { step, told, typed, type Times } from "./told.ts";

/** Two bare nodes become a MySQL pair, lose their writing server and their writing node, and lose no row. */
export async function demonstratePair(binary: string, { kills, cuts }: Times): Promise<number> {
  await using lab = await Lab.open({ nodes: ["node1", "node2"], progress: step });
  const [first, second] = lab.nodes;
  if (!first || !second) throw new Error("the lab did not open both nodes");
  for (const node of lab.nodes) await node.install(binary);
  step(`two bare servers run: ${lab.nodes.map((node) => `${node.name} ${node.address}`).join(", ")}`);

  await formPair(first, second);
  await untilProtected(lab);
  const writers = await startWriters(lab, { connections: 2 });
  step("two clients write through it, each commit as soon as the last one is acknowledged");

  const names = { kill: "kill -9 of the server on", power: "power cut of" } as const;
  const kinds = [...Array<"kill">(kills).fill("kill"), ...Array<"power">(cuts).fill("power")];
  const rounds = await rehearse(labStage(lab, writers), kinds, {
    told: (round) => told(round, names[round.kind as keyof typeof names], "it is a replica, level"),
  });
  const { roles } = await status(first);
  step(`${roles["mysql"]?.writable.join()} writes: nobody took the VIP back`);

  const rows = await writers.stop();
  console.log(`\noutages that the clients saw\n${histogram(rounds.map(({ outage }) => outage.ms))}`);
  let lost = rounds.filter(({ outage }) => !outage.ended).length;
  for (const node of lab.nodes) {
    const missing = await writers.missingOn(node);
    lost += missing.length;
    console.log(`rows acknowledged ${rows.length}, missing on ${node.name}: ${missing.length}`);
  }
  return lost === 0 ? 0 : 1;
}

async function formPair(first: LabNode, second: LabNode): Promise<void> {
  typed(first, initCommand);
  const { token } = JSON.parse((await first.run([...initCommand, "--json"])).stdout) as Initialized;
  const begun = performance.now();
  typed(first, joinCommand);
  typed(second, joinCommand, `CHIME_TOKEN=${token.slice(0, 14)}… `);
  const timeoutMs = 300_000;
  await Promise.all([
    first.run(joinCommand, { timeoutMs }),
    second.run(joinCommand, { timeoutMs, env: { CHIME_TOKEN: token } }),
  ]);
  const { roles } = await status(first);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  step(
    `a pair serves at ${vip}, ${roles["mysql"]?.writable.join()} takes the writes (both joins: ${seconds} s)`,
  );
}

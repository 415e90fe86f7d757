/**
 * Two bare nodes become a MySQL pair, lose their writing server and their writing node, and lose no row:
 * `scripts/demo [--kills 3] [--cuts 2]`, as root.
 */
import { parseArgs } from "node:util";
import { interrupted, Lab } from "../test/lab/lab.ts";
import type { LabNode } from "../test/lab/node.ts";
import { initCommand, joinCommand, startWriters, status, vip, type Initialized } from "../test/lab/pair.ts";
import { LabUnavailable, labObstacle } from "../test/lab/prerequisites.ts";
import { untilProtected } from "../test/lab/trial.ts";
import { labStage } from "../test/lab/faults.ts";
import { histogram } from "../src/operations/drill/histogram.ts";
import { rehearse, type Round } from "../src/operations/drill/run.ts";
import { buildBinary } from "./build.ts";

const started = performance.now();

function step(line: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

/** Shows a command as it is typed on the node. */
function typed(node: LabNode, argv: readonly string[], prefix = ""): void {
  console.log(`          ${node.name}# ${prefix}${argv.join(" ")}`);
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

const names = { kill: "kill -9 of the server on", power: "power cut of" } as const;

function tell({ kind, victim, outage, levelSeconds }: Round<keyof typeof names>): void {
  const seconds = (outage.ms / 1000).toFixed(2);
  step(
    outage.ended
      ? `${names[kind]} ${victim}: writes went on after ${seconds} s; it is a replica, level, ${levelSeconds.toFixed(1)} s after`
      : `${names[kind]} ${victim}: no write for ${seconds} s, and none since`,
  );
}

async function main(): Promise<number> {
  const options = { kills: { type: "string" }, cuts: { type: "string" } } as const;
  let kills: number;
  let cuts: number;
  try {
    const { values } = parseArgs({ options });
    [kills, cuts] = [Number(values.kills ?? 3), Number(values.cuts ?? 2)];
    if (!(kills >= 0 && cuts >= 0)) throw new Error("--kills and --cuts take a number");
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: scripts/demo [--kills N] [--cuts N]`);
    return 2;
  }
  // Before anything is built: nobody wants to wait to be told that it was for nothing.
  const obstacle = labObstacle();
  if (obstacle) throw new LabUnavailable(obstacle);

  const binary = await buildBinary();
  step("built dist/chime-node");
  await using lab = await Lab.open({ nodes: ["node1", "node2"], progress: step });
  const [first, second] = lab.nodes;
  if (!first || !second) throw new Error("the lab did not open both nodes");
  for (const node of lab.nodes) await node.install(binary);
  step(`two bare servers run: ${lab.nodes.map((node) => `${node.name} ${node.address}`).join(", ")}`);

  await formPair(first, second);
  await untilProtected(lab);
  const writers = await startWriters(lab, { connections: 2 });
  step("two clients write through it, each commit as soon as the last one is acknowledged");

  const kinds = [...Array<"kill">(kills).fill("kill"), ...Array<"power">(cuts).fill("power")];
  const rounds = await rehearse(labStage(lab, writers), kinds, { told: tell });
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

try {
  process.exitCode = await main();
} catch (error) {
  if (interrupted()) console.error("interrupted: the lab is taken down");
  else if (error instanceof LabUnavailable) console.error(error.message);
  else console.error(`the demo failed: ${(error as Error).message}`);
  process.exitCode = 1;
}

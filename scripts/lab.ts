/**
 * Boots bare nodes to play with: `scripts/lab [--nodes 2] [--pair]`, as root. Prints how to enter each and waits for
 * Ctrl-C, which takes everything down.
 */
import { parseArgs } from "node:util";
import { interrupted, Lab } from "../test/lab/lab.ts";
import { formPair } from "../test/lab/pair.ts";
import { LabUnavailable } from "../test/lab/prerequisites.ts";
import { buildBinary } from "./build.ts";

async function main(): Promise<number | undefined> {
  const options = { nodes: { type: "string" }, pair: { type: "boolean" } } as const;
  let count: number;
  let pair: boolean;
  try {
    const { values } = parseArgs({ options });
    count = Number(values.nodes ?? 2);
    pair = values.pair ?? false;
    if (!(count >= 1 && count <= 20)) throw new Error("--nodes takes a number from 1 to 20");
    if (pair && count < 2) throw new Error("--pair needs two nodes");
  } catch (error) {
    console.error(`${(error as Error).message}\nusage: scripts/lab [--nodes 2] [--pair]`);
    return 2;
  }
  const binary = await buildBinary();
  const lab = await Lab.open({ nodes: Array.from({ length: count }, (_, i) => `node${i + 1}`) });
  if (pair) await formPair(lab);
  else for (const node of lab.nodes) await node.install(binary);
  for (const node of lab.nodes) {
    console.log(`${node.name} ${node.address}:  nsenter -t ${node.leader} -m -u -i -n -p -- bash -l`);
  }
  const client = lab.network.namespace("client");
  console.log(`client ${lab.client.address}:  ip netns exec ${client} bash`);
  console.log("Ctrl-C takes all of it down");
  // The lab's own signal handler ends the process.
  setInterval(() => {}, 60_000);
  return undefined;
}

try {
  const code = await main();
  if (code !== undefined) process.exitCode = code;
} catch (error) {
  if (interrupted()) console.error("interrupted: the lab is taken down");
  else if (error instanceof LabUnavailable) console.error(error.message);
  else console.error(`the lab failed: ${(error as Error).message}`);
  process.exitCode = 1;
}

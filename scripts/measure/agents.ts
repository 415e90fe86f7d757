import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { Lab } from "../../test/lab/lab.ts";
import type { LabNode } from "../../test/lab/node.ts";
import { programOf } from "../../test/lab/program.ts";
import { formWitnesses, untilSeen } from "../../test/lab/witnesses.ts";
import type { Row } from "./row.ts";
import { agentUsage } from "./usage.ts";

const count = 12;
const settleMs = 45_000;

/** Twelve real agents that have no role in common, at rest; then how long joining them takes. */
export async function measureAgents(
  options: { seconds: number; joins: number },
  progress: (line: string) => void,
): Promise<Row[]> {
  const { seconds, joins } = options;
  const names = Array.from({ length: count }, (_, i) => `node${i + 1}`);
  // The last one joins by a program of ours, which starts no agent.
  await using lab = await Lab.open({ nodes: [...names, "visitor"], progress });
  const visitor = lab.node("visitor");
  const members = lab.nodes.filter((node) => node !== visitor);
  const { token } = await formWitnesses(lab, members);
  await untilSeen(members, names, "alive", 60_000);
  // The joins have stirred up much to compare, and an agent gives memory back half a minute after its start.
  await Bun.sleep(settleMs);
  progress(`agents: ${count} at rest for ${seconds} s`);
  const before = await Promise.all(members.map(traffic));
  const begun = performance.now();
  const usage = await Promise.all(members.map((node) => agentUsage(node, seconds)));
  const after = await Promise.all(members.map(traffic));
  const elapsed = (performance.now() - begun) / 1000;
  const kilobytes = after.map((bytes, i) => (bytes - (before[i] ?? 0)) / elapsed / 1000);
  progress(`agents: ${joins} handshakes`);
  await copyFile(process.execPath, visitor.path("/usr/local/bin/bun"));
  await visitor.put("/root/program.js", await programOf(join(import.meta.dir, "handshake-program.ts")));
  const argv = ["bun", "/root/program.js", token, String(joins)];
  const took = JSON.parse((await visitor.run(argv, { timeoutMs: 60_000 })).stdout) as number[];
  const agents = `${count} agents at rest:`;
  return [
    {
      name: `${agents} memory (PSS)`,
      values: usage.map(({ megabytes }) => megabytes),
      unit: "MB",
      target: 60,
      by: "worst",
    },
    {
      name: `${agents} of one core`,
      values: usage.map(({ percent }) => percent),
      unit: "%",
      target: 1,
      by: "worst",
    },
    { name: `${agents} sent, with all headers`, values: kilobytes, unit: "KB/s", target: 2, by: "worst" },
    { name: "join: handshake, with its files", values: took, unit: "ms", target: 150, spread: "percentiles" },
  ];
}

/** Bytes that left this node, with the headers of Ethernet (the transmit columns of /proc/net/dev). */
async function traffic(node: LabNode): Promise<number> {
  const line = (await node.run(["cat", "/proc/net/dev"])).stdout
    .split("\n")
    .find((one) => one.trim().startsWith("eth0:"));
  return Number(line?.split(":")[1]?.trim().split(/\s+/)[8]);
}

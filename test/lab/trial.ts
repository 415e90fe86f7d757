import { Lab } from "./lab.ts";
import { formPair, pairOf, status } from "./pair.ts";
import { waitUntil } from "./wait.ts";
import type { Writers } from "./writer.ts";

/**
 * Longer than any way takes that a pair goes by itself, on a machine that is busy with other labs besides: what outlasts
 * this waits for a node that comes back, or for somebody. How long each takes is measured by scripts/bench.
 */
export const byItselfMs = 15_000;

/** A lab with a pair that can stand the first failure. */
export async function openPair(): Promise<Lab> {
  const lab = await Lab.open({ prepared: true, nodes: ["node1", "node2"] });
  try {
    await formPair(lab);
    await untilProtected(lab);
  } catch (error) {
    await lab.close();
    throw error;
  }
  return lab;
}

/**
 * Waits until the pair can stand the next failure: one writer, whose commits are on both nodes, and nothing wrong. Two
 * nodes alone have to count on their gateway, too: where a lab has none, on purpose, that is not waited for.
 * @returns ms it took
 * @throws Error with what `status` finds wrong after `timeoutMs`
 */
export async function untilProtected(lab: Lab, timeoutMs = 90_000): Promise<number> {
  const start = performance.now();
  const [node] = lab.nodes;
  if (!node) throw new Error("the lab has no nodes");
  let last = "";
  const level = async () => {
    // An agent that was just killed answers nothing yet.
    const found = await status(node).catch((error: Error) => error);
    if (found instanceof Error) {
      last = found.message;
      return false;
    }
    const { roles, problems, healthy } = found;
    const mysql = roles["mysql"];
    last = problems.map(({ node, code, message }) => `${node}: ${code}: ${message}`).join("; ");
    const replicates = mysql?.nodes.some((n) => n.state === "replica" && n.replicating);
    const covered = mysql?.nodes.some((n) => n.state === "writer" && n.protected);
    const hasGateway = lab.nodes.every(({ options }) => options.gateway !== false);
    if (hasGateway && problems.some(({ code }) => code === "mysql.no_gateway" || code === "mysql.out"))
      return false;
    return healthy && mysql?.writable.length === 1 && replicates === true && covered === true;
  };
  await waitUntil("the pair to be level again", timeoutMs, level, 100).catch(async (error: Error) => {
    throw new Error(`${error.message} (${last || "no problem reported"})${await ownTransactions(lab, last)}`);
  });
  return performance.now() - start;
}

/** What a quarantined node saved: the lab, and with it the file, is gone when the failure is read. */
async function ownTransactions(lab: Lab, told: string): Promise<string> {
  const file = /saved in (\/\S+\.sql)/.exec(told)?.[1];
  if (!told.includes("mysql.quarantined") || file === undefined) return "";
  const found = await Promise.all(
    lab.nodes.map(async (node) => (await node.sh(`head -c 4000 ${file}`, { check: false })).stdout),
  );
  return `\n${found.join("")}`;
}

/** The pair is level again, and both of its nodes hold every row that a client was told of until now. */
export async function nothingIsMissing(lab: Lab, writers: Writers): Promise<void> {
  await untilProtected(lab);
  await writers.untilOn(pairOf(lab));
}

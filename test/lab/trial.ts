import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { status, writerOf } from "./pair.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";
import type { Outage, Writers } from "./writer.ts";

/** One failure of the writing node, seen by clients. */
export interface Trial {
  kind: "kill" | "power";
  victim: LabNode;
  survivor: LabNode;
  outage: Outage;
}

/** kill -9 of the writing server; what clients saw of it. The node stays up. */
export async function killServer(lab: Lab, writers: Writers): Promise<Trial> {
  const { writer, replica } = await writerOf(lab);
  const at = await writer.kill(system.unit);
  return { kind: "kill", victim: writer, survivor: replica, outage: await writers.outageAfter(at) };
}

/** A power cut of the writing node; what clients saw of it. The node stays off. */
export async function cutPower(lab: Lab, writers: Writers): Promise<Trial> {
  const { writer, replica } = await writerOf(lab);
  const at = await writer.powerOff();
  return { kind: "power", victim: writer, survivor: replica, outage: await writers.outageAfter(at) };
}

/**
 * Waits until the pair can stand the next failure: one writer, whose commits are on both nodes, and nothing wrong.
 * @returns ms it took
 * @throws Error with what `status` finds wrong after `timeoutMs`
 */
export async function untilProtected(lab: Lab, timeoutMs = 90_000): Promise<number> {
  const start = performance.now();
  const [node] = lab.nodes;
  if (!node) throw new Error("the lab has no nodes");
  let last = "";
  const level = async () => {
    const { roles, problems, healthy } = await status(node);
    const mysql = roles["mysql"];
    last = problems.map((problem) => `${problem.node}: ${problem.code}`).join(", ");
    const replicates = mysql?.nodes.some((n) => n.state === "replica" && n.replicating);
    const covered = mysql?.nodes.some((n) => n.state === "writer" && n.protected);
    return healthy && mysql?.writable.length === 1 && replicates === true && covered === true;
  };
  await waitUntil("the pair to be level again", timeoutMs, level, 100).catch((error: Error) => {
    throw new Error(`${error.message} (${last || "no problem reported"})`);
  });
  return performance.now() - start;
}

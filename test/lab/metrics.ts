import { exec } from "../../src/core/exec.ts";
import { metricsPort } from "../../src/core/paths.ts";
import type { LabNode } from "./node.ts";

/** What a node's agent tells of a metric, on its own loopback alone: a line for each sample, none where it does not answer. */
export async function metric(node: LabNode, name: string): Promise<string[]> {
  const script = `console.log(await (await fetch("http://127.0.0.1:${metricsPort}/metrics")).text())`;
  const argv = ["nsenter", "-t", `${node.leader}`, "-n", process.execPath, "-e", script];
  const { stdout } = await exec(argv, { ok: "any" });
  return stdout.split("\n").filter((line) => line.startsWith(`${name}{`));
}

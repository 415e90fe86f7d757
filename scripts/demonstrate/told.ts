import type { Round } from "../../src/operations/drill/run.ts";
import type { LabNode } from "../../test/lab/node.ts";

const started = performance.now();

/** What happened, and when. */
export function step(line: string): void {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

/** Shows a command as it is typed on the node. */
export function typed(node: LabNode, argv: readonly string[], prefix = ""): void {
  console.log(`          ${node.name}# ${prefix}${argv.join(" ")}`);
}

/**
 * @param after what the victim is by then
 * @param requests those that were lacking
 */
export function told(
  { victim, outage, levelSeconds }: Round,
  what: string,
  after: string,
  requests: "reads" | "writes" = "writes",
): void {
  const seconds = (outage.ms / 1000).toFixed(2);
  step(
    outage.ended
      ? `${what} ${victim}: ${requests} went on after ${seconds} s; ${after}, ${levelSeconds.toFixed(1)} s after`
      : `${what} ${victim}: no ${requests} for ${seconds} s, and none since`,
  );
}

/** How often what is broken. */
export interface Times {
  kills: number;
  cuts: number;
}

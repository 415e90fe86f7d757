import type { InitResult } from "../operations/init.ts";

/** What there is now, and what to run next, to be copied. @param taken roles that this node has already */
export function renderInit({ cluster, node, join }: InitResult, taken: readonly string[]): string {
  // The line of the others without the token: whoever made the cluster needs none.
  const own = join.slice(join.indexOf(" ") + 1);
  return [
    `cluster ${cluster.name} (${cluster.id}) is on ${node}.`,
    ...(taken.length > 0 ? [] : [`Give this node its role:   ${own}`]),
    `On each further node run:  ${join}`,
  ].join("\n");
}

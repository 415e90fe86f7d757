import type { Problem } from "../roles/guard.ts";

const dayMs = 86_400_000;
/** A node's certificate holds for two years, and none longer than its CA: from here on they get shorter. */
const warnBeforeMs = 730 * dayMs;

/**
 * That the cluster's CA ends before long: no certificate holds longer than it, so the cluster ends with it.
 * @param ends wall clock, ms
 */
export function expiryProblems(node: string, ends: number, now: number): Problem[] {
  const left = ends - now;
  if (left > warnBeforeMs) return [];
  const date = new Date(ends).toISOString().slice(0, 10);
  return [
    {
      code: "ca.expires",
      severity: left > 0 ? "warning" : "error",
      node,
      message:
        left > 0
          ? `the cluster's CA ends on ${date}, in ${Math.ceil(left / dayMs)} days: no certificate is good for longer`
          : `the cluster's CA ended on ${date}: no certificate that it signed is good any more`,
      remedy:
        "docs/security.md, What `ca rotate` needs: until that is there, build a new cluster before then",
    },
  ];
}

import type { AuthorityRotation } from "../cluster/authority-rotation.ts";
import type { Problem } from "../roles/guard.ts";

const dayMs = 86_400_000;
/** A node's certificate holds for two years, and none longer than its CA: from here on they get shorter. */
const warnBeforeMs = 730 * dayMs;
/** A stage takes some seconds where all members that are there take part. */
const quietMs = 60_000;

/** Members would carry a rotation to each other by certificates that have ended with the CA. */
const tooLate =
  "too late for ca rotate: copy the data out of each service, then build a new cluster (chime-node reset, init, join)";

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
      remedy: left > 0 ? "chime-node ca rotate" : tooLate,
    },
  ];
}

/** What a rotation of the CA waits for: a member, for too long, or the operator. */
export function authorityProblems(
  node: string,
  rotation: Pick<AuthorityRotation, "underWayMs" | "progress" | "isFirst">,
): Problem[] {
  if (rotation.underWayMs < quietMs || !rotation.isFirst) return [];
  const { stage, awaiting } = rotation.progress();
  const warning = { severity: "warning" as const, node };
  if (stage === 2 && awaiting === null) {
    return [
      {
        ...warning,
        code: "ca.unfinished",
        message:
          "the new CA signs, and the old one is still trusted: who has its key can pass for the cluster's services",
        remedy: "give clients that verify the new CA file, then: chime-node ca rotate --finish",
      },
    ];
  }
  return [
    {
      ...warning,
      code: "ca.rotating",
      message: `a rotation of the cluster's CA is under way: ${awaiting ?? "it ends in a moment"}`,
      remedy:
        stage === null
          ? "it was away all the time: chime-node reset on it, chime-node remove for it here, then join it again"
          : "journalctl -u chime-node on the member that it waits for says why; chime-node remove, if it is gone for good",
    },
  ];
}

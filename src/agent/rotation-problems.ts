import type { KeyRotation } from "../cluster/gossip/key-rotation.ts";
import type { Problem } from "../roles/guard.ts";

/** A rotation is over in some seconds where all members that are there take part. */
const quietMs = 60_000;

/** What a rotation of gossip's keys has waited for too long. */
export function rotationProblems(
  node: string,
  rotation: Pick<KeyRotation, "underWayMs" | "progress">,
): Problem[] {
  if (rotation.underWayMs < quietMs) return [];
  const { awaiting } = rotation.progress();
  return [
    {
      code: "keys.rotating",
      severity: "warning",
      node,
      message: `a rotation of gossip's keys is under way: ${awaiting ?? "it ends in a moment"}`,
      remedy:
        "journalctl -u chime-node on the member that it waits for says why; chime-node remove, if it is gone for good",
    },
  ];
}

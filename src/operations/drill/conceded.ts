import type { MinioSpec } from "../../spec/types.ts";
import type { Compared } from "./load.ts";
import type { ObjectFault } from "./objects.ts";

/**
 * Whether a read under way gave what two stores that copy to each other concede: what was stored in the last moment before
 * one is lost is on that one alone until it is back, so the other one still gives the state before, or none. Never other
 * bytes than any that were sent.
 */
export function isOlderRead({ problem }: ObjectFault): boolean {
  return problem !== "changed";
}

/** Whether an object at the end is what they concede: a store keeps no deletion of what it did not have yet. */
export function isUndeleted({ problem }: ObjectFault): boolean {
  return problem === "undeleted";
}

/**
 * Tells what a store's layout concedes from what is lost. Pure.
 * @param found by node: null where it could not be asked
 */
export function judged(
  topology: MinioSpec["topology"],
  found: Readonly<Record<string, readonly ObjectFault[] | null>>,
  misread: readonly ObjectFault[],
): Compared {
  const byNode = <T>(count: (faults: readonly ObjectFault[] | null) => T) =>
    Object.fromEntries(Object.entries(found).map(([node, faults]) => [node, count(faults)]));
  if (topology === "pool") {
    return { missing: byNode((all) => all?.length ?? null), misread: misread.length, conceded: null };
  }
  const older = misread.filter(isOlderRead).length;
  return {
    missing: byNode((all) => all?.filter((fault) => !isUndeleted(fault)).length ?? null),
    misread: misread.length - older,
    conceded: {
      older_reads: older,
      undeleted: byNode((all) => all?.filter(isUndeleted).length ?? 0),
    },
  };
}

import { failed, type ChimeError } from "../core/errors.ts";
import type { TargetSystem } from "./systems.ts";

/** What can be said of a package manager that did not bring a closure. */
export interface ClosureFailure {
  kind: string;
  /** What it said itself. */
  why: string;
  /** The repository that does not answer, where that is known. */
  place: string | undefined;
}

/** @returns ChimeError `host.no_space`, `bundle.unreachable`, `bundle.no_candidate`, `bundle.untrusted_package`, `bundle.resolve` */
export function closureError(
  { os, sourceExample }: TargetSystem,
  { kind, why, place }: ClosureFailure,
): ChimeError {
  switch (kind) {
    case "no_space":
      return failed("host.no_space", "no space left while the packages were downloaded", "free some (df -h)");
    case "unreachable":
      return failed(
        "bundle.unreachable",
        `the package repository ${place ?? os.name} does not answer, or not with what it should: ${why}`,
        `check the network, or name another repository: --source ${sourceExample}`,
      );
    case "unknown":
      return failed(
        "bundle.no_candidate",
        `the repositories of ${os.name} do not have all that is wanted: ${why}`,
        `name one that has it: --source ${sourceExample}`,
      );
    case "untrusted":
      return failed(
        "bundle.untrusted_package",
        `a package is not signed by a key that its repository names: ${why}`,
        "do not use that repository before its owner explains it",
      );
    default:
      return failed(
        "bundle.resolve",
        `the package manager cannot put the packages together: ${why}`,
        "run this again with --verbose",
      );
  }
}

import { unconfigured } from "../cluster/admission.ts";
import type { RoleName } from "../cluster/types.ts";
import { toChimeError, type ChimeError } from "../core/errors.ts";
import type { Check, Finding } from "../host/checks.ts";
import { chooseDisks } from "../host/disks/choose.ts";
import type { Disk } from "../host/disks/look.ts";
import { numberAt } from "../host/disks/number.ts";
import { loadGiven, type GivenDisk } from "../host/disks/record.ts";
import { roles } from "../roles/index.ts";
import type { Spec } from "../spec/types.ts";
import { requireDisks } from "./give-disks.ts";
import { unconfiguredRole } from "./role-names.ts";

/** `join` refuses a role that cluster.toml says nothing of: `preflight` tells it, too. */
export function configuredChecks(spec: Spec, names: readonly RoleName[]): Check[] {
  return names.map((name) => ({
    name: `${name}.configured`,
    run: () =>
      Promise.resolve(
        unconfiguredRole([name], spec) === undefined ? undefined : findingOf(unconfigured(name)),
      ),
  }));
}

/** Where it gets what it looks at. */
interface Sources {
  look: () => Promise<Disk[]>;
  given?: () => Promise<readonly GivenDisk[]>;
  numberOf?: (path: string) => string | undefined;
}

/** `join` refuses disks that are too few or too many for the roles that take them, or of different sizes. */
export function countChecks(
  spec: Spec,
  { role, disk }: { role: readonly RoleName[]; disk: readonly string[] },
  { look, given = loadGiven, numberOf = numberAt }: Sources,
): Check[] {
  const takes = (name: RoleName) => unconfiguredRole([name], spec) === undefined;
  if (!roles.some((one) => one.disks && role.includes(one.name) && takes(one.name))) return [];
  return [
    {
      name: "disks",
      async run() {
        const choices = chooseDisks(disk, await look(), numberOf);
        // Each is told by a check of its own.
        if (choices.some(({ finding }) => finding?.severity === "error")) return undefined;
        const chosen = choices.flatMap(({ disks }) => disks);
        try {
          requireDisks(role, chosen, await given(), spec);
          return undefined;
        } catch (error) {
          return findingOf(toChimeError(error));
        }
      },
    },
  ];
}

function findingOf({ message, remedy }: ChimeError): Finding {
  return { severity: "error", message, remedy: remedy ?? "" };
}

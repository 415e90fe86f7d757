import type { TargetSystem } from "../../bundle/systems.ts";
import { refused, usageError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { product } from "../../host/catalog.ts";
import { roles } from "../../roles/index.ts";
import { buildToml } from "../../spec/build.ts";
import { loadSpec, parseSpec } from "../../spec/load.ts";
import { namesUnder } from "../../spec/schema.ts";
import type { Spec } from "../../spec/types.ts";

interface Wanted {
  role: readonly string[];
  config: string | undefined;
  set: readonly string[];
}

/**
 * Packages that nodes with these roles install, by name.
 * @throws ChimeError `usage.unknown_role`, config errors (exit 2), `host.unsupported`, `bundle.vendor` (exit 3)
 */
export async function wantedPackages(wanted: Wanted, system: TargetSystem): Promise<string[]> {
  const known = roles.map((role) => role.name);
  const unknown = wanted.role.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw usageError(
      "usage.unknown_role",
      `there is no role ${unknown}; the roles are ${known.join(", ")}`,
      `--role ${nearest(unknown, known) ?? "ROLE"}`,
    );
  }
  const spec = await wantedSpec(wanted);
  const names = new Set<string>();
  for (const role of roles.filter(({ name }) => wanted.role.includes(name))) {
    for (const product of role.products(spec)) names.add(product);
  }
  return [...names].flatMap((name) => packagesOf(name, system));
}

function packagesOf(name: string, system: TargetSystem): readonly string[] {
  const { packages, repository } = product(name, system.os);
  if (repository === "os") return packages;
  throw refused(
    "bundle.vendor",
    `${name} comes from a repository of its vendor, and bundles hold packages of ${system.os.name} alone`,
    "--set roles.mysql.engine=mariadb",
  );
}

/** Addresses do not matter here: a role whose VIP nobody gave gets one that is nobody's (RFC 5737). */
async function wantedSpec({ role, config, set }: Wanted): Promise<Spec> {
  if (config !== undefined) {
    if (set.length > 0) {
      throw usageError(
        "bundle.two_configs",
        "--config and --set exclude each other",
        "put the keys into the file",
      );
    }
    const { spec } = await loadSpec(config);
    const missing = role.find((name) => namesUnder(["roles"])?.includes(name) && !(name in spec.roles));
    if (missing === undefined) return spec;
    throw usageError(
      "bundle.unconfigured_role",
      `${config} does not configure ${missing}`,
      `add [roles.${missing}]`,
    );
  }
  const configured = role.filter((name) => namesUnder(["roles"])?.includes(name));
  const vips = configured
    .filter((name) => !set.some((text) => text.startsWith(`roles.${name}.vip=`)))
    .map((name) => `${name}=192.0.2.1`);
  return parseSpec(buildToml({ vips, sets: set }), "command line");
}

import { addable } from "../../bundle/added.ts";
import type { TargetSystem } from "../../bundle/systems.ts";
import { usageError } from "../../core/errors.ts";
import { product } from "../../host/catalog.ts";
import type { Repository } from "../../host/packages/types.ts";
import { vendorOf } from "../../host/vendor.ts";
import { roles } from "../../roles/index.ts";
import { buildToml } from "../../spec/build.ts";
import { loadSpec, parseSpec } from "../../spec/load.ts";
import { namesUnder } from "../../spec/schema.ts";
import type { Spec } from "../../spec/types.ts";
import { requireRoleNames } from "../role-names.ts";

interface Wanted {
  role: readonly string[];
  config: string | undefined;
  set: readonly string[];
}

/** What nodes with these roles install. */
export interface WantedPackages {
  names: string[];
  /** Vendors' repositories that some of them come from. */
  repositories: Repository[];
  /** Servers that no repository has, and where the spec says that each node has the operator's own. */
  servers: { name: string; role: string; path: string | undefined }[];
}

/** @throws ChimeError `usage.unknown_role`, config errors (exit 2), `host.unsupported` (exit 3) */
export async function wantedPackages(wanted: Wanted, system: TargetSystem): Promise<WantedPackages> {
  requireRoleNames(wanted.role);
  const spec = await wantedSpec(wanted);
  const names = new Set<string>();
  for (const role of roles.filter(({ name }) => wanted.role.includes(name))) {
    for (const name of role.products(spec)) names.add(name);
  }
  const products = [...names].map((name) => product(name, system.os));
  // With `os` the operator has a repository of his own, which --source names.
  const vendors = spec.cluster.packages === "os" ? [] : products.map((one) => vendorOf(one, system.os));
  return {
    names: products.flatMap(({ packages }) => packages),
    repositories: vendors.filter((one) => one !== undefined),
    servers: Object.entries(addable)
      .filter(([name]) => names.has(name))
      .map(([name, { role }]) => ({ name, role, path: spec.roles[role]?.binary })),
  };
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

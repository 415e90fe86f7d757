import type { RoleName } from "../cluster/types.ts";
import type { Check, Finding } from "../host/checks.ts";
import type { Facts } from "../host/facts.ts";
import type { Product } from "../host/catalog.ts";
import { vendorOf } from "../host/vendor.ts";
import { packageManager } from "../host/packages/index.ts";
import { pinnedKey } from "../host/packages/pinned-key.ts";
import type { Repository } from "../host/packages/types.ts";
import type { Spec } from "../spec/types.ts";
import { toChimeError } from "../core/errors.ts";

/** The vendor's repository that `cluster.packages` has us add; undefined where none is wanted or known. */
export function vendorRepository(
  product: Product,
  os: Facts["os"],
  packages: Spec["cluster"]["packages"],
): Repository | undefined {
  return packages === "os" || packages === "bundle" ? undefined : vendorOf(product, os);
}

/** Long enough for a slow mirror, and no reason to wait longer at a route into nothing. */
const fetchMs = 20_000;

/** Where the server is to come from, and whether it can be had there. Looks at the network only where the spec is known. */
export function repositoryCheck(
  role: RoleName,
  product: Product,
  os: Facts["os"],
  spec: Spec | undefined,
): Check {
  return { name: `${role}.repository`, run: () => find(role, product, os, spec) };
}

async function find(
  role: RoleName,
  product: Product,
  os: Facts["os"],
  spec: Spec | undefined,
): Promise<Finding | undefined> {
  const wanted = spec?.cluster.packages ?? "auto";
  const [name = ""] = product.packages;
  if (product.repository === "os") {
    if (wanted !== "vendor") return undefined;
    return {
      severity: "error",
      message: `${name} comes from ${os.name} itself, and no vendor's repository of it is known`,
      remedy: 'set cluster.packages = "auto" or "os"',
    };
  }
  const manager = packageManager(os.family, wanted);
  if ((await manager.installed([name])).has(name)) return undefined;
  const vendor = vendorRepository(product, os, wanted);
  if (!vendor) {
    if ((await manager.candidates([name])).has(name)) return undefined;
    return {
      severity: "error",
      message: `no package repository of this node offers ${name}`,
      remedy: `set cluster.packages = "auto", and ${product.repository.url} is added; or set another roles.${role}.engine`,
    };
  }
  if (await manager.hasBundled(product.packages)) return undefined;
  // Without authorities nothing can be fetched over https yet: apply installs them first.
  const { requires } = manager.repository(vendor);
  if (!spec || (await manager.installed(requires)).size < requires.length) return undefined;
  try {
    const fetched = await manager.fetch(vendor.key.url, { signal: AbortSignal.timeout(fetchMs) });
    pinnedKey(fetched, vendor.key, Date.now());
    return undefined;
  } catch (error) {
    const { message, remedy = "" } = toChimeError(error);
    return { severity: "error", message, remedy };
  }
}

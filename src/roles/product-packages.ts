import type { Product } from "../host/catalog.ts";
import { pkg, type PackageOptions } from "../resources/package.ts";
import { repository } from "../resources/repository.ts";
import type { Resource } from "../resources/types.ts";
import { vendorRepository } from "./repository.ts";
import type { RoleContext } from "./types.ts";

/** A product's packages, behind the vendor's repository where they come from there. */
export interface ProductPackages {
  resources: Resource[];
  /** Of the packages alone, for what needs them. */
  ids: string[];
}

/** @param first what the server's own package brings, which the catalog names first */
export function productPackages(
  product: Product,
  { facts, spec }: Pick<RoleContext, "facts" | "spec">,
  first: Pick<PackageOptions, "data" | "answers"> = {},
): ProductPackages {
  const { packages, unit } = product;
  const { family } = facts.os;
  const from = spec.cluster.packages;
  const vendor = vendorRepository(product, facts.os, from);
  const source = vendor ? repository(vendor, { packages, family, from }) : [];
  const needs = source.map(({ id }) => id);
  const made = packages.map((name, at) =>
    pkg({ name, family, from, units: [unit], needs, repository: vendor, ...(at === 0 && first) }),
  );
  return { resources: [...source, ...made], ids: made.map(({ id }) => id) };
}

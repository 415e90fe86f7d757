import type { Product } from "./catalog.ts";
import type { Facts } from "./facts.ts";
import type { Repository } from "./packages/types.ts";

/** The vendor's repository that a product comes from on this system; undefined: the system's own have it. */
export function vendorOf({ repository }: Product, os: Facts["os"]): Repository | undefined {
  if (repository === "os") return undefined;
  const { name, url, component = "", suite = os.codename, key, hides = [] } = repository;
  return { name, uri: url, suite, component, key, hides };
}

import * as v from "valibot";
import catalogToml from "../../assets/catalog.toml" with { type: "toml" };
import { refused } from "../core/errors.ts";
import type { Facts } from "./facts.ts";
import { systemKey } from "./os.ts";

const productSchema = v.strictObject({
  /** `os`: the system's own repositories. */
  repository: v.literal("os"),
  /** The server's own package first. */
  packages: v.pipe(v.array(v.string()), v.minLength(1)),
  /** What the repository has, at least: for products whose configuration depends on it. */
  version: v.optional(v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+$/))),
  unit: v.pipe(v.string(), v.endsWith(".service")),
  /** Who the service runs as. */
  user: v.string(),
  /** What the rows of one product agree on, e.g. `config`, `data`, `socket`. */
  paths: v.record(v.string(), v.pipe(v.string(), v.startsWith("/"))),
});
export type Product = v.InferOutput<typeof productSchema>;

const catalogSchema = v.record(v.string(), v.record(v.string(), productSchema));

/** assets/catalog.toml; a mistake in it is a mistake of ours. */
export const catalog: v.InferOutput<typeof catalogSchema> = v.parse(catalogSchema, catalogToml);

/** How a product is called and laid out on this system. @throws ChimeError `host.unsupported` */
export function product(name: string, os: Facts["os"]): Product {
  const systems = catalog[name] ?? {};
  const row = systems[systemKey(os)];
  if (row) return row;
  throw refused("host.unsupported", `${name} is not known to run on ${os.name}`, {
    remedy: `use one of: ${Object.keys(systems).join(", ")}`,
  });
}

/** One of a product's paths. A missing one is a hole in the catalog. */
export function productPath(of: Product, name: string): string {
  const path = of.paths[name];
  if (path === undefined) throw new Error(`the catalog has no ${name} path for ${of.unit}`);
  return path;
}

/** Keys of all systems that the catalog knows, e.g. `debian-12`. */
export function supportedSystems(): string[] {
  return [...new Set(Object.values(catalog).flatMap((systems) => Object.keys(systems)))];
}

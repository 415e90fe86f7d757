import * as v from "valibot";
import catalogToml from "../../assets/catalog.toml" with { type: "toml" };
import { refused } from "../core/errors.ts";
import type { Facts } from "./facts.ts";
import { systemKey } from "./os.ts";

/** A vendor's own repository. */
const https = v.pipe(v.string(), v.startsWith("https://"));
const vendorSchema = v.strictObject({
  /** Stands in the names of its files. */
  name: v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/)),
  /** For dnf with its variable `$basearch`. */
  url: https,
  /** Of an apt repository. */
  component: v.optional(v.string()),
  /** Of an apt repository, where it is not the system's codename. */
  suite: v.optional(v.string()),
  /** Patterns of other repositories' packages that would be taken for its own. dnf alone. */
  hides: v.optional(v.array(v.string())),
  /** What signs it: where to fetch it, and the fingerprint of its primary key. */
  key: v.strictObject({ url: https, fingerprint: v.pipe(v.string(), v.regex(/^[0-9A-F]{40}$/)) }),
});

const productSchema = v.strictObject({
  /** `os`: the system's own repositories. */
  repository: v.union([v.literal("os"), vendorSchema]),
  /** The server's own package first. */
  packages: v.pipe(v.array(v.string()), v.minLength(1)),
  /** Answers to what the packages ask as they are installed: lines for debconf-set-selections(1). */
  answers: v.optional(v.array(v.string())),
  /** What the repository has, at least: for products whose configuration depends on it. */
  version: v.optional(v.pipe(v.string(), v.regex(/^\d+\.\d+\.\d+$/))),
  /** Tried in the lab and not supported: preflight says no, and may be told to ignore it. */
  lab: v.optional(v.literal(true)),
  /** Written by the vendor's documents: no such machine was seen yet. Preflight warns. */
  untried: v.optional(v.literal(true)),
  unit: v.pipe(v.string(), v.endsWith(".service")),
  /** Who the service runs as. */
  user: v.string(),
  /** What the rows of one product agree on, e.g. `config`, `data`, `socket`. */
  paths: v.record(v.string(), v.pipe(v.string(), v.startsWith("/"))),
});
export type Product = v.InferOutput<typeof productSchema>;

const catalogSchema = v.record(v.string(), v.record(v.string(), productSchema));
type Catalog = v.InferOutput<typeof catalogSchema>;

/** assets/catalog.toml; a mistake in it is a mistake of ours. */
export const catalog = readCatalog(catalogToml);

type Table = Readonly<Record<string, unknown>>;

/** What the file says, with each row's `like` followed. Pure. @throws ValiError, and Error where that leads nowhere */
export function readCatalog(toml: Readonly<Record<string, Readonly<Record<string, Table>>>>): Catalog {
  const full = Object.entries(toml).map(([name, rows]) => [
    name,
    Object.fromEntries(Object.keys(rows).map((key) => [key, complete(rows, key)])),
  ]);
  return v.parse(catalogSchema, Object.fromEntries(full));
}

function complete(rows: Readonly<Record<string, Table>>, key: string, from: readonly string[] = []): Table {
  const row = rows[key];
  if (!row || from.includes(key))
    throw new Error(`the catalog's like leads nowhere: ${[...from, key].join(" → ")}`);
  const { like, ...own } = row;
  return typeof like === "string" ? over(complete(rows, like, [...from, key]), own) : own;
}

function over(base: Table, own: Table): Table {
  const merged = Object.entries(own).map(([key, value]) => {
    const below = base[key];
    return [key, isTable(below) && isTable(value) ? over(below, value) : value];
  });
  return { ...base, ...Object.fromEntries(merged) };
}

function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** How a product is called and laid out on this system. @throws ChimeError `host.unsupported` */
export function product(name: string, os: Facts["os"]): Product {
  const systems = catalog[name] ?? {};
  const row = systems[systemKey(os)];
  if (row) return row;
  throw refused("host.unsupported", `${name} is not known to run on ${os.name}`, {
    remedy: `use one of: ${supported(systems).join(", ")}`,
  });
}

/** Whether a product has a row for this system. */
export function isKnownOn(name: string, os: Facts["os"]): boolean {
  return catalog[name]?.[systemKey(os)] !== undefined;
}

/** One of a product's paths. A missing one is a hole in the catalog. */
export function productPath(of: Product, name: string): string {
  const path = of.paths[name];
  if (path === undefined) throw new Error(`the catalog has no ${name} path for ${of.unit}`);
  return path;
}

/** Keys of all systems that some product is supported on, e.g. `debian-12`. */
export function supportedSystems(): string[] {
  return [...new Set(Object.values(catalog).flatMap(supported))];
}

function supported(systems: Record<string, Product>): string[] {
  return Object.keys(systems).filter((key) => !systems[key]?.lab);
}

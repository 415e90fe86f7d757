import * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { namesUnder, specSchema } from "./schema.ts";
import type { Spec } from "./types.ts";
import { repeatedVips, vipsOf } from "./vips.ts";

export interface SpecProblem {
  path: readonly (string | number)[];
  /** Is the key wrong (unknown), its value, or is it absent? Says what to point at. */
  at: "key" | "value" | "missing";
  /** Follows the dotted key: `must be …`. */
  message: string;
  /** The key that was probably meant, of an unknown one. */
  meant?: string;
}

/** Checks what a TOML parser or `--set` made against the schema: a spec with all defaults, or every problem. */
export function validateSpec(raw: unknown): { spec: Spec } | { problems: SpecProblem[] } {
  const result = v.safeParse(specSchema, raw);
  if (!result.success) return { problems: result.issues.map(toProblem) };
  const { cluster, failover, roles } = result.output;
  const { vrid_base: vridBase, ...rest } = cluster;
  const spec: Spec = {
    cluster: vridBase === undefined ? rest : { ...rest, vridBase },
    failover,
    roles: roles.mysql ? { mysql: roles.mysql } : {},
  };
  const problems = repeatedVips(vipsOf(spec)).map(({ key, message }): SpecProblem => ({
    path: key.split("."),
    at: "value",
    message,
  }));
  return problems.length > 0 ? { problems } : { spec };
}

function toProblem(issue: v.BaseIssue<unknown>): SpecProblem {
  const path = (issue.path ?? []).map((item) => (typeof item.key === "number" ? item.key : String(item.key)));
  if (issue.type !== "strict_object") return { path, at: "value", message: issue.message };
  const last = String(path.at(-1) ?? "");
  const parents = path.slice(0, -1).map(String);
  if (issue.expected === "never") return { path, at: "key", ...unknownKey(parents, last) };
  // `expected` is a quoted key where that key is absent, and "Object" where the value is no table at all.
  if (issue.expected?.startsWith('"')) return { path, at: "missing", message: `is missing: ${absent(last)}` };
  return { path, at: "value", message: "must be a table" };
}

/** What to write for a key that has no default; only the VIPs have none (design.md §5). */
const absent = (key: string): string => `give it an IPv4 address, like ${key} = "192.168.231.30"`;

function unknownKey(parents: string[], name: string): { message: string; meant?: string } {
  const known = namesUnder(parents);
  const meant = nearest(name, known);
  const what =
    parents.join(".") === "roles" ? "is a role that this version does not know" : "is not a known key";
  const right = meant === undefined ? `known here: ${known.join(", ")}` : `did you mean ${meant}?`;
  return {
    message: `${what}; ${right}`,
    ...(meant !== undefined && { meant: [...parents, meant].join(".") }),
  };
}

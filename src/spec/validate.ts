import * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { namesUnder, specSchema } from "./schema.ts";
import { parseBucket, retentionSeconds } from "./retention.ts";
import type { InfluxdbSpec, MinioSpec, Spec } from "./types.ts";
import { repeatedVips, vipsOf } from "./vips.ts";

export interface SpecProblem {
  path: readonly (string | number)[];
  /** Is the key wrong (unknown), its value, or is it absent? Says what to point at. */
  at: "key" | "value" | "missing";
  /** Follows the dotted key: `must be …`. */
  message: string;
}

/** Checks what a TOML parser or `--set` made against the schema: a spec with all defaults, or every problem. */
export function validateSpec(raw: unknown): { spec: Spec } | { problems: SpecProblem[] } {
  const shape = shapeProblems(raw, []);
  const result = v.safeParse(specSchema, raw);
  if (!result.success) return { problems: [...shape, ...result.issues.flatMap(toProblem)] };
  if (shape.length > 0) return { problems: shape };
  const { cluster, failover, roles } = result.output;
  const { vrid_base: vridBase, trusted_keys: trustedKeys, revoked_keys: revokedKeys, ...rest } = cluster;
  const spec: Spec = {
    cluster: {
      ...rest,
      ...(vridBase !== undefined && { vridBase }),
      ...(trustedKeys && { trustedKeys }),
      ...(revokedKeys && { revokedKeys }),
    },
    failover,
    roles: {
      ...(roles.mysql && { mysql: roles.mysql }),
      ...(roles.minio && { minio: minioSpec(roles.minio) }),
      ...(roles.influxdb && { influxdb: influxdbSpec(roles.influxdb) }),
    },
  };
  const repeated = [...repeatedVips(vipsOf(spec)), ...repeatedBuckets(spec.roles.influxdb)];
  const problems = repeated.map(({ key, message }): SpecProblem => ({
    path: key.split("."),
    at: "value",
    message,
  }));
  return problems.length > 0 ? { problems } : { spec };
}

function minioSpec({
  disks_per_node: disksPerNode,
  binary,
  prefer,
  ...rest
}: NonNullable<v.InferOutput<typeof specSchema>["roles"]["minio"]>): MinioSpec {
  return {
    ...rest,
    disksPerNode,
    ...(binary !== undefined && { binary }),
    ...(prefer !== undefined && { prefer }),
  };
}

function influxdbSpec({
  binary,
  prefer,
  retention,
  buckets,
  ...rest
}: NonNullable<v.InferOutput<typeof specSchema>["roles"]["influxdb"]>): InfluxdbSpec {
  const first = { name: rest.bucket, retentionSeconds: retentionSeconds(retention) };
  const all = [first, ...buckets.map(parseBucket)];
  return {
    ...rest,
    buckets: all,
    ...(binary !== undefined && { binary }),
    ...(prefer !== undefined && { prefer }),
  };
}

/** The main bucket among the further ones. */
function repeatedBuckets(influxdb: InfluxdbSpec | undefined): { key: string; message: string }[] {
  const isRepeated = influxdb?.buckets.slice(1).some(({ name }) => name === influxdb.bucket);
  if (!isRepeated) return [];
  return [
    {
      key: "roles.influxdb.buckets",
      message: `must not name ${influxdb?.bucket}: that is roles.influxdb.bucket, which has roles.influxdb.retention`,
    },
  ];
}

/** Tables and their keys. Not left to valibot: its strict objects tell one unknown key a table, and take a date for one. */
function shapeProblems(raw: unknown, path: string[]): SpecProblem[] {
  const names = namesUnder(path);
  if (!names) return [];
  if (typeof raw !== "object" || raw === null || Array.isArray(raw) || raw instanceof Date) {
    return [{ path, at: "value", message: "must be a table" }];
  }
  return Object.entries(raw).flatMap(([name, value]) =>
    names.includes(name)
      ? shapeProblems(value, [...path, name])
      : [{ path: [...path, name], at: "key" as const, message: unknownKey(path, name, names) }],
  );
}

function toProblem(issue: v.BaseIssue<unknown>): SpecProblem[] {
  const path = (issue.path ?? []).map((item) => (typeof item.key === "number" ? item.key : String(item.key)));
  if (issue.type !== "object") return [{ path, at: "value", message: issue.message }];
  // `expected` is a quoted key where that key is absent, and "Object" where the value is no table: told above.
  return issue.expected?.startsWith('"')
    ? [{ path, at: "missing", message: `is missing: ${absent(String(path.at(-1)))}` }]
    : [];
}

/** What to write for a key that has no default; only the VIPs have none (design.md §5). */
const absent = (key: string): string => `give it an IPv4 address, like ${key} = "192.168.231.30"`;

function unknownKey(parents: readonly string[], name: string, known: readonly string[]): string {
  const what =
    parents.join(".") === "roles" ? "is a role that this version does not know" : "is not a known key";
  const meant = nearest(name, known);
  return `${what}; ${meant === undefined ? `known here: ${known.join(", ")}` : `did you mean ${meant}?`}`;
}

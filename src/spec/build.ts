import { usageError, type ChimeError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { knownKeys, namesUnder, type KnownKey } from "./schema.ts";
import { validateSpec } from "./validate.ts";

/** What `init` was told on its command line. */
interface BuildInput {
  /** The cluster's name; `cluster.name` may say it instead. */
  name?: string | undefined;
  /** `ROLE=IP[/PREFIX]` */
  vips: readonly string[];
  /** `KEY=VALUE` with a dotted key; a list is comma-separated. */
  sets: readonly string[];
}

/** One given value: where it goes, and how it was written, for errors. */
interface Given {
  key: string;
  value: string | number | boolean | string[];
  origin: string;
}

/**
 * The text of a cluster.toml: what was given as live keys, the rest as comments that say the default.
 * @throws ChimeError `usage.bad_value` or `usage.unknown_key` (exit 2), telling all problems at once
 */
export function buildToml({ name, vips, sets }: BuildInput): string {
  const given: Given[] = [];
  const problems: string[] = [];
  let unknown = false;
  const add = (item: Given) => {
    if (given.some(({ key }) => key === item.key))
      problems.push(`${item.origin}: ${item.key} is given twice`);
    else given.push(item);
  };
  if (name !== undefined) add({ key: "cluster.name", value: name, origin: `--name ${name}` });
  for (const text of vips) {
    const [role, address] = split(text);
    const roles = namesUnder(["roles"]) ?? [];
    if (address === undefined)
      problems.push(`--vip ${text}: must be ROLE=IP[/PREFIX], like mysql=192.168.231.30`);
    else if (!roles.includes(role)) {
      unknown = true;
      problems.push(`--vip ${text}: ${role} is not a role with a VIP; ${suggest(role, roles)}`);
    } else add({ key: `roles.${role}.vip`, value: address, origin: `--vip ${text}` });
  }
  const keys = knownKeys();
  for (const text of sets) {
    const [key, value] = split(text);
    const found = keys.find((candidate) => candidate.key === key);
    if (value === undefined)
      problems.push(`--set ${text}: must be KEY=VALUE, like roles.mysql.engine=mariadb`);
    else if (!found) {
      unknown = true;
      const names = keys.map((candidate) => candidate.key);
      problems.push(`--set ${text}: ${key} is not a known key; ${suggest(key, names)}`);
    } else add({ key, value: convert(value, found), origin: `--set ${text}` });
  }
  if (problems.length === 0) problems.push(...valueProblems(given));
  if (problems.length > 0) throw problem(unknown, problems);
  return render(new Map(given.map(({ key, value }) => [key, value])));
}

function split(text: string): [key: string, value: string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

function convert(value: string, { kind }: KnownKey): Given["value"] {
  if (kind === "list") return value.split(",").map((item) => item.trim());
  if (kind === "boolean" && (value === "true" || value === "false")) return value === "true";
  return kind === "integer" && /^\d{1,9}$/.test(value) ? Number(value) : value;
}

/** Dotted keys have a few dots in common with everything: compare the last part as well. */
function suggest(word: string, known: readonly string[]): string {
  const byTail = known.find((key) => key.split(".").at(-1) === word.split(".").at(-1));
  const meant = nearest(word, known) ?? byTail;
  return meant === undefined ? `known: ${known.join(", ")}` : `did you mean ${meant}?`;
}

function problem(unknown: boolean, problems: readonly string[]): ChimeError {
  return usageError(
    unknown ? "usage.unknown_key" : "usage.bad_value",
    problems.join("\n"),
    "correct the command line and run it again",
  );
}

/** The schema is the judge here, too; what it says of a key is told with the flag that set the key. */
function valueProblems(given: readonly Given[]): string[] {
  const raw: Record<string, unknown> = {};
  for (const { key, value } of given) {
    const path = key.split(".");
    let table = raw;
    for (const name of path.slice(0, -1)) table = (table[name] ??= {}) as Record<string, unknown>;
    table[path.at(-1) as string] = value;
  }
  const result = validateSpec(raw);
  if ("spec" in result) return [];
  return result.problems.map(({ path, at, message }) => {
    const key = path.filter((part) => typeof part === "string").join(".");
    const [role] = path.slice(1).map(String);
    if (at === "missing") return `--vip ${role}=IP[/PREFIX] is missing: settings of ${role} are given`;
    return `${given.find((item) => item.key === key)?.origin ?? key}: ${key} ${message}`;
  });
}

interface Line {
  key: string;
  /** What stands there, commented out, where nothing was given. */
  sample: string | number | boolean | string[];
  about: string;
}

function vipLine(sample: string): Line {
  return { key: "vip", sample, about: "clients connect here; ADDRESS/PREFIX, /32 unless given" };
}

const preferLine: Line = {
  key: "prefer",
  sample: "node2",
  about: "where the VIP belongs; default: roles on the same nodes are spread",
};

/** The file from top to bottom: every key that exists, in the order in which a person asks for them. */
const sections: readonly { table: string; lines: readonly Line[] }[] = [
  {
    table: "cluster",
    lines: [
      { key: "name", sample: "chime", about: "also the word that deleting data asks for" },
      { key: "domain", sample: "chime.com", about: "names in /etc/hosts: node1.chime.com" },
      { key: "interface", sample: "auto", about: "where VIPs live; auto: the one in their subnet" },
      {
        key: "packages",
        sample: "auto",
        about: "auto | os (the system's own repositories) | vendor | bundle",
      },
      { key: "vrid_base", sample: 51, about: "1 to 255, only if the derived VRRP router ids are taken" },
      { key: "trusted_keys", sample: [], about: "public keys: whose bundles are taken (bundle keygen)" },
      { key: "revoked_keys", sample: [], about: "and whose no more" },
    ],
  },
  {
    table: "failover",
    lines: [{ key: "policy", sample: "available", about: "available | safe, only without a third voter" }],
  },
  {
    table: "roles.mysql",
    lines: [
      vipLine("192.168.231.30"),
      { key: "topology", sample: "dual-master", about: "dual-master | pxc | galera | group-replication" },
      { key: "engine", sample: "percona", about: "percona | mysql | mariadb" },
      { key: "databases", sample: ["chime", "portal"], about: "created, with an account that may use them" },
    ],
  },
  {
    table: "roles.minio",
    lines: [
      vipLine("192.168.231.50"),
      preferLine,
      { key: "topology", sample: "pool", about: "pool | mirror" },
      { key: "engine", sample: "silo", about: "silo | minio" },
      { key: "binary", sample: "/root/minio", about: "your own program instead of a package" },
      { key: "nodes", sample: 2, about: "the store is laid out on so many, and starts when they are there" },
      { key: "disks_per_node", sample: 3, about: "whole disks, given with join --disk" },
      { key: "bucket", sample: "chime", about: "created, with an account that may use it" },
      { key: "tls", sample: false, about: "https, by certificates of the cluster's CA; for good" },
    ],
  },
  {
    table: "roles.influxdb",
    lines: [
      vipLine("192.168.231.40"),
      preferLine,
      { key: "binary", sample: "/root/influxd", about: "your own program instead of a package" },
      { key: "org", sample: "chime", about: "the organisation, made by the first setup" },
      { key: "bucket", sample: "chime", about: "where applications write" },
      { key: "retention", sample: "forever", about: "how long that keeps points: forever, or 12h, 30d, 4w" },
      { key: "buckets", sample: ["traces:30d"], about: "further ones, each with its own" },
      { key: "tls", sample: false, about: "https, by certificates of the cluster's CA" },
    ],
  },
];

function render(given: ReadonlyMap<string, Given["value"]>): string {
  const out = [
    "# The configuration of this cluster, the same on every member. After an edit, on any one of them:",
    "#   chime-node plan      shows what would change",
    "#   chime-node apply     makes it so and tells the others",
    "# A line that begins with # shows the default, or an example.",
  ];
  for (const { table, lines } of sections) {
    // A table in force needs its header; a role that nobody asked for must not have one (its VIP would be missing).
    const live = !table.startsWith("roles.") || lines.some(({ key }) => given.has(`${table}.${key}`));
    out.push("", live ? `[${table}]` : `# [${table}]`);
    const written = lines.map(({ key, sample }) => {
      const value = given.get(`${table}.${key}`);
      return `${value === undefined ? "# " : ""}${key} = ${toml(value ?? sample)}`;
    });
    const width = Math.max(...written.map((text) => text.length));
    for (const [i, { about }] of lines.entries()) out.push(`${written[i]?.padEnd(width)}  # ${about}`);
  }
  return `${out.join("\n")}\n`;
}

/** JSON's strings and lists are TOML's, for what the schema lets through. */
function toml(value: Given["value"]): string {
  return Array.isArray(value) ? `[${value.map((item) => toml(item)).join(", ")}]` : JSON.stringify(value);
}

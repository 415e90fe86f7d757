import * as v from "valibot";
import { nearest } from "../core/nearest.ts";
import { bucketName } from "./retention.ts";
import { parseVip } from "./vips.ts";

/** One of a few words; the message names them all and the one that was probably meant. */
function word<const T extends readonly string[]>(options: T) {
  return v.picklist(options, ({ input }) => {
    const meant = typeof input === "string" ? nearest(input, options) : undefined;
    const list = options.map((option) => `"${option}"`);
    return `must be ${list.slice(0, -1).join(", ")} or ${list.at(-1)}${meant ? ` (did you mean "${meant}"?)` : ""}`;
  });
}

function text(pattern: RegExp, message: string) {
  return v.pipe(v.string(`must be a string: ${message}`), v.regex(pattern, `must be ${message}`));
}

const label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";

/** RFC 1123 §2.1, lower case: it stands in certificates, host names and file names. */
const clusterName = text(
  new RegExp(`^${label}$`),
  "up to 63 of a-z, 0-9 and -, not beginning or ending with -",
);
const domain = text(
  new RegExp(`^(?=.{1,189}$)${label}(\\.${label})*$`),
  'a domain name in lower case, like "chime.com"',
);
/** IFNAMSIZ is 16 with its final zero; the kernel refuses `/` and blanks (dev_valid_name). */
const interfaceName = text(/^(?!\.{1,2}$)[^\s/:]{1,15}$/, '"auto" or the name of an interface, like "eth0"');

function wholeNumber(least: number, most: number) {
  const message = `must be a whole number from ${least} to ${most}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(least, message), v.maxValue(most, message));
}

/** Ed25519 in SPKI form (RFC 8410): 12 bytes that are always the same, then 32. */
const publicKeys = v.array(
  text(/^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/, "a public key in one line, as bundle keygen --json prints it"),
  'must be a list of public keys, like ["MCowBQYDK2VwAyEA…"]',
);

const vip = v.pipe(
  v.string('must be a string: an IPv4 address like "192.168.231.30"'),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parsed = parseVip(dataset.value);
    if (typeof parsed !== "string") return parsed;
    addIssue({ message: parsed });
    return NEVER;
  }),
);

const systemSchemas = new Set(["mysql", "sys", "information_schema", "performance_schema"]);
/** Unquoted identifiers (MySQL manual, "Schema Object Names") and the hyphen, which our quoting covers. */
const database = v.pipe(
  text(/^[A-Za-z0-9_-]{1,64}$/, "a name of up to 64 of A-Z, a-z, 0-9, _ and -"),
  v.check((name) => !systemSchemas.has(name.toLowerCase()), "is a schema of the server itself"),
);
const databases = v.pipe(
  v.array(database, 'must be a list of names, like ["chime", "portal"]'),
  v.minLength(1, "must name at least one database"),
  v.check((names) => new Set(names).size === names.length, "names a database twice"),
);

/** AWS S3 User Guide, "Bucket naming rules", without dots: no certificate covers them. */
const bucket = text(
  /^(?!xn--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
  "3 to 63 of a-z, 0-9 and -, not beginning or ending with -",
);
/** InfluxDB's own limits are wider (no `_` in front, no quotes): these words need no escaping in any of its languages. */
const influxName = text(
  /^(?!chime-node$)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
  "up to 64 of A-Z, a-z, 0-9, _, . and -, a letter or digit first, like chime; chime-node is taken",
);

const retentionWord = "forever|[1-9]\\d{0,3}[hdw]";
/** The server is burnt by a setup with less than an hour (domain: it answers 500, and never takes another one). */
const retention = text(
  new RegExp(`^(${retentionWord})$`),
  '"forever" or a time in hours, days or weeks, like "30d"',
);
const influxBuckets = v.pipe(
  v.array(
    text(
      new RegExp(`^(?!chime-node:)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}:(${retentionWord})$`),
      'a bucket (up to 64 of A-Z, a-z, 0-9, _, . and -, a letter or digit first; chime-node is taken) and for how many hours, days or weeks it keeps points, like "traces:30d"',
    ),
    'must be a list of buckets, like ["traces:30d", "audit:forever"]',
  ),
  v.check((list) => new Set(list.map(bucketName)).size === list.length, "names a bucket twice"),
);

const nodeName = text(new RegExp(`^${label}$`), 'the name of a node, like "node2"');

/** It stands in unit files and environment files. */
const programPath = text(/^(\/[A-Za-z0-9_][A-Za-z0-9_.+-]*)+$/, 'the path of a program, like "/root/minio"');

/** cluster.toml as written (design.md §5), with its defaults. */
export const specSchema = v.object({
  cluster: v.optional(
    v.object({
      name: v.optional(clusterName, "chime"),
      domain: v.optional(domain, "chime.com"),
      interface: v.optional(interfaceName, "auto"),
      packages: v.optional(word(["auto", "os", "vendor", "bundle"]), "auto"),
      vrid_base: v.optional(wholeNumber(1, 255)),
      trusted_keys: v.optional(publicKeys),
      revoked_keys: v.optional(publicKeys),
    }),
    {},
  ),
  failover: v.optional(
    v.object({
      policy: v.optional(word(["available", "safe"]), "available"),
    }),
    {},
  ),
  roles: v.optional(
    v.object({
      mysql: v.optional(
        v.object({
          topology: v.optional(word(["dual-master", "pxc", "galera", "group-replication"]), "dual-master"),
          engine: v.optional(word(["percona", "mysql", "mariadb"]), "percona"),
          vip,
          databases: v.optional(databases, ["chime", "portal"]),
        }),
      ),
      minio: v.optional(
        v.object({
          topology: v.optional(word(["pool", "mirror"]), "pool"),
          engine: v.optional(word(["silo", "minio"]), "silo"),
          binary: v.optional(programPath),
          vip,
          prefer: v.optional(nodeName),
          nodes: v.optional(wholeNumber(2, 16), 2),
          disks_per_node: v.optional(wholeNumber(1, 16), 3),
          bucket: v.optional(bucket, "chime"),
          tls: v.optional(v.boolean("must be true or false"), false),
        }),
      ),
      influxdb: v.optional(
        v.object({
          binary: v.optional(programPath),
          vip,
          prefer: v.optional(nodeName),
          org: v.optional(influxName, "chime"),
          bucket: v.optional(influxName, "chime"),
          retention: v.optional(retention, "forever"),
          buckets: v.optional(influxBuckets, []),
          tls: v.optional(v.boolean("must be true or false"), false),
        }),
      ),
    }),
    {},
  ),
});

export interface KnownKey {
  /** Dotted: `roles.mysql.vip`. */
  key: string;
  /** How it is written in TOML; of a list, comma-separated on a command line. */
  kind: "string" | "integer" | "boolean" | "list";
}

/** What a schema of valibot shows of itself. */
interface Node {
  type: string;
  entries?: Record<string, Node>;
  wrapped?: Node;
}

const kinds: Record<string, KnownKey["kind"]> = { array: "list", number: "integer", boolean: "boolean" };

/** Every key that cluster.toml may have, read off the schema. */
export function knownKeys(): KnownKey[] {
  const keys: KnownKey[] = [];
  const walk = (node: Node, path: string[]) => {
    if (node.wrapped) walk(node.wrapped, path);
    else if (node.entries) {
      for (const [name, entry] of Object.entries(node.entries)) walk(entry, [...path, name]);
    } else {
      keys.push({ key: path.join("."), kind: kinds[node.type] ?? "string" });
    }
  };
  walk(specSchema, []);
  return keys;
}

/** The names that a table may hold; undefined where the schema has no table there. */
export function namesUnder(path: readonly string[]): string[] | undefined {
  let node: Node | undefined = specSchema;
  for (const name of path) {
    node = node?.entries && Object.hasOwn(node.entries, name) ? node.entries[name] : undefined;
    while (node?.wrapped) node = node.wrapped;
  }
  return node?.entries && Object.keys(node.entries);
}

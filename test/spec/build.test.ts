import { expect, test } from "bun:test";
import { ChimeError } from "../../src/core/errors.ts";
import { buildToml } from "../../src/spec/build.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { knownKeys } from "../../src/spec/schema.ts";

test("the whole file, as a person reads it", () => {
  const toml = buildToml({
    vips: ["mysql=192.168.231.30/24"],
    sets: ["roles.mysql.engine=mariadb", "cluster.packages=os", "roles.mysql.databases=chime, shop"],
  });
  expect(toml)
    .toBe(`# The configuration of this cluster, the same on every member. After an edit, on any one of them:
#   chime-node plan      shows what would change
#   chime-node apply     makes it so and tells the others
# A line that begins with # shows the default, or an example.

[cluster]
# name = "chime"        # also the word that deleting data asks for
# domain = "chime.com"  # names in /etc/hosts: node1.chime.com
# interface = "auto"    # where VIPs live; auto: the one in their subnet
packages = "os"         # auto | os (the system's own repositories) | vendor | bundle
# vrid_base = 51        # 1 to 255, only if the derived VRRP router ids are taken
# trusted_keys = []     # public keys: whose bundles are taken (bundle keygen)
# revoked_keys = []     # and whose no more

[failover]
# policy = "available"  # available | safe, only without a third voter

[roles.mysql]
vip = "192.168.231.30/24"      # clients connect here; ADDRESS/PREFIX, /32 unless given
# topology = "dual-master"     # dual-master | pxc | galera | group-replication
engine = "mariadb"             # percona | mysql | mariadb
databases = ["chime", "shop"]  # created, with an account that may use them

# [roles.minio]
# vip = "192.168.231.50"  # clients connect here; ADDRESS/PREFIX, /32 unless given
# prefer = "node2"        # where the VIP belongs; default: roles on the same nodes are spread
# topology = "pool"       # pool | mirror
# engine = "silo"         # silo | minio
# binary = "/root/minio"  # your own program instead of a package
# nodes = 2               # the store is laid out on so many, and starts when they are there
# disks_per_node = 3      # whole disks, given with join --disk
# bucket = "chime"        # created, with an account that may use it
# tls = false             # https, by certificates of the cluster's CA; for good

# [roles.influxdb]
# vip = "192.168.231.40"    # clients connect here; ADDRESS/PREFIX, /32 unless given
# prefer = "node2"          # where the VIP belongs; default: roles on the same nodes are spread
# binary = "/root/influxd"  # your own program instead of a package
# org = "chime"             # the organisation, made by the first setup
# bucket = "chime"          # where applications write
# retention = "forever"     # how long that keeps points: forever, or 12h, 30d, 4w
# buckets = ["traces:30d"]  # further ones, each with its own
# tls = false               # https, by certificates of the cluster's CA
`);
});

test("keys of bundles go in as a list; what is none is told", () => {
  const key = `MCowBQYDK2VwAyEA${"A".repeat(43)}=`;
  const toml = buildToml({
    vips: [],
    sets: [`cluster.trusted_keys=${key},${key}`, `cluster.revoked_keys=${key}`],
  });
  expect(parseSpec(toml, "x").cluster).toMatchObject({ trustedKeys: [key, key], revokedKeys: [key] });
  expect(() => buildToml({ vips: [], sets: ["cluster.trusted_keys=/root/key.pub"] })).toThrow(
    "must be a public key in one line, as bundle keygen --json prints it",
  );
});

test("what it writes is what was asked for", () => {
  const toml = buildToml({
    name: "west",
    vips: ["mysql=10.0.0.9"],
    sets: ["cluster.vrid_base=7", "failover.policy=safe", "roles.mysql.databases=a,b"],
  });
  expect(parseSpec(toml, "f")).toMatchObject({
    cluster: { name: "west", vridBase: 7, packages: "auto" },
    failover: { policy: "safe" },
    roles: { mysql: { vip: { address: "10.0.0.9", prefix: 32 }, databases: ["a", "b"], engine: "percona" } },
  });
});

test("without a role there is none, and every line that is commented out would be valid", () => {
  const toml = buildToml({ vips: [], sets: [] });
  expect(parseSpec(toml, "f").roles).toEqual({});
  const all = toml.replaceAll(/^# (\[|\w+ = )/gm, "$1");
  expect(parseSpec(all, "f").roles.mysql).toBeDefined();
});

test("every key of the schema is in the file", () => {
  const toml = buildToml({ vips: [], sets: [] });
  let table = "";
  const found: string[] = [];
  for (const line of toml.split("\n")) {
    table = /^(?:# )?\[(.+)\]$/.exec(line)?.[1] ?? table;
    const key = /^(?:# )?(\w+) = /.exec(line)?.[1];
    if (key) found.push(`${table}.${key}`);
  }
  expect(found.sort()).toEqual(
    knownKeys()
      .map(({ key }) => key)
      .sort(),
  );
});

test.each([
  [["mysql"], [], "usage.bad_value", "--vip mysql: must be ROLE=IP[/PREFIX], like mysql=192.168.231.30"],
  [
    ["mysq=10.0.0.9"],
    [],
    "usage.unknown_key",
    "--vip mysq=10.0.0.9: mysq is not a role with a VIP; did you mean mysql?",
  ],
  [
    ["toString=10.0.0.9"],
    [],
    "usage.unknown_key",
    "--vip toString=10.0.0.9: toString is not a role with a VIP; known: mysql, minio, influxdb",
  ],
  [
    ["mysql=10.0.0.999"],
    [],
    "usage.bad_value",
    '--vip mysql=10.0.0.999: roles.mysql.vip must be an IPv4 address, like "192.168.231.30"',
  ],
  [
    ["mysql=1.1.1.1", "mysql=1.1.1.2"],
    [],
    "usage.bad_value",
    "--vip mysql=1.1.1.2: roles.mysql.vip is given twice",
  ],
  [
    [],
    ["roles.mysql.engine"],
    "usage.bad_value",
    "--set roles.mysql.engine: must be KEY=VALUE, like roles.mysql.engine=mariadb",
  ],
  [
    [],
    ["roles.mysql.engin=x"],
    "usage.unknown_key",
    "--set roles.mysql.engin=x: roles.mysql.engin is not a known key; did you mean roles.mysql.engine?",
  ],
  [
    [],
    ["mysql.engine=x"],
    "usage.unknown_key",
    "--set mysql.engine=x: mysql.engine is not a known key; did you mean roles.mysql.engine?",
  ],
  [
    [],
    ["engine=x"],
    "usage.unknown_key",
    "--set engine=x: engine is not a known key; did you mean roles.mysql.engine?",
  ],
  [[], ["__proto__.x=1"], "usage.unknown_key", undefined],
  [[], ["roles.mysql=1"], "usage.unknown_key", undefined],
  [
    [],
    ["cluster.packages=vendr"],
    "usage.bad_value",
    '--set cluster.packages=vendr: cluster.packages must be "auto", "os", "vendor" or "bundle" (did you mean "vendor"?)',
  ],
  [
    [],
    ["cluster.vrid_base=many"],
    "usage.bad_value",
    "--set cluster.vrid_base=many: cluster.vrid_base must be a whole number from 1 to 255",
  ],
  [[], ["cluster.name="], "usage.bad_value", undefined],
  [
    [],
    ["roles.mysql.engine=mariadb"],
    "usage.bad_value",
    "--vip mysql=IP[/PREFIX] is missing: settings of mysql are given",
  ],
  [
    ["mysql=1.1.1.1"],
    ["roles.mysql.databases=a,my db"],
    "usage.bad_value",
    "--set roles.mysql.databases=a,my db: roles.mysql.databases must be a name of up to 64 of A-Z, a-z, 0-9, _ and -",
  ],
])("--vip %p --set %p is refused", (vips, sets, code, message) => {
  expect(failure(vips, sets)).toMatchObject({ code, exit: 2, ...(message !== undefined && { message }) });
});

test("all that is wrong is told at once", () => {
  expect(failure(["x=1.1.1.1"], ["a=b", "cluster.name"]).message.split("\n")).toHaveLength(3);
});

function failure(vips: string[], sets: string[]): ChimeError {
  try {
    buildToml({ vips, sets });
  } catch (error) {
    if (error instanceof ChimeError) return error;
    throw error;
  }
  throw new Error("was accepted");
}

import { describe, expect, test } from "bun:test";
import { ChimeError } from "../../src/core/errors.ts";
import { loadSpec, parseSpec } from "../../src/spec/load.ts";
import { caught } from "../cli/fake.ts";
import { random } from "../plan/random.ts";

const mysql = { topology: "dual-master", engine: "percona", databases: ["chime", "portal"] } as const;
const defaults = {
  cluster: { name: "chime", domain: "chime.com", interface: "auto", packages: "auto" },
  failover: { policy: "available" },
  roles: {},
} as const;

describe("reads", () => {
  test.each([
    ["an empty file", "", defaults],
    [
      "the shortest pair",
      '[roles.mysql]\nvip = "192.168.231.30"',
      { ...defaults, roles: { mysql: { ...mysql, vip: { address: "192.168.231.30", prefix: 32 } } } },
    ],
    [
      "every key",
      `[cluster]
       name = "x1"
       domain = "example.org"
       interface = "bond0.7"
       packages = "os"
       vrid_base = 51
       [failover]
       policy = "safe"
       [roles.mysql]
       topology = "galera"
       engine = "mariadb"
       vip = "10.0.0.9/24"
       databases = ["one", "two-2"]`,
      {
        cluster: { name: "x1", domain: "example.org", interface: "bond0.7", packages: "os", vridBase: 51 },
        failover: { policy: "safe" },
        roles: {
          mysql: {
            topology: "galera",
            engine: "mariadb",
            vip: { address: "10.0.0.9", prefix: 24 },
            databases: ["one", "two-2"],
          },
        },
      },
    ],
  ])("%s", (_, toml, spec) => {
    expect(parseSpec(toml, "cluster.toml")).toEqual(spec as never);
  });
});

function complaint(toml: string): string {
  try {
    parseSpec(toml, "cluster.toml");
  } catch (error) {
    if (!(error instanceof ChimeError)) throw error;
    expect(error.exit).toBe(2);
    return error.message;
  }
  throw new Error("was accepted");
}

test("tells all problems of a file at once, in its order, each with place, line and what is right", () => {
  const toml = `[cluster]
nam = "x"
packages = "vendr"
vrid_base = 300
[roles.mysql]
engine = "mariadbb"
\tdatabases = ["chime", "my sql", 3, "mysql"]
[roles.redis]
[failover]
policy = "saf"
"a b" = 3
`;
  expect(complaint(toml)).toBe(
    `
cluster.toml:2:1: cluster.nam is not a known key; did you mean name?
  2 | nam = "x"
    | ^^^
cluster.toml:3:12: cluster.packages must be "auto", "os", "vendor" or "bundle" (did you mean "vendor"?)
  3 | packages = "vendr"
    |            ^^^^^^^
cluster.toml:4:13: cluster.vrid_base must be a whole number from 1 to 255
  4 | vrid_base = 300
    |             ^^^
cluster.toml:5:8: roles.mysql.vip is missing: give it an IPv4 address, like vip = "192.168.231.30"
  5 | [roles.mysql]
    |        ^^^^^
cluster.toml:6:10: roles.mysql.engine must be "percona", "mysql" or "mariadb" (did you mean "mariadb"?)
  6 | engine = "mariadbb"
    |          ^^^^^^^^^^
cluster.toml:7:24: roles.mysql.databases[2] must be a name of up to 64 of A-Z, a-z, 0-9, _ and -
  7 | \tdatabases = ["chime", "my sql", 3, "mysql"]
    | \t                      ^^^^^^^^
cluster.toml:7:34: roles.mysql.databases[3] must be a string: a name of up to 64 of A-Z, a-z, 0-9, _ and -
  7 | \tdatabases = ["chime", "my sql", 3, "mysql"]
    | \t                                ^
cluster.toml:7:37: roles.mysql.databases[4] is a schema of the server itself
  7 | \tdatabases = ["chime", "my sql", 3, "mysql"]
    | \t                                   ^^^^^^^
cluster.toml:8:8: roles.redis is a role that this version does not know; known here: mysql, minio, influxdb
  8 | [roles.redis]
    |        ^^^^^
cluster.toml:10:10: failover.policy must be "available" or "safe" (did you mean "safe"?)
  10 | policy = "saf"
     |          ^^^^^
cluster.toml:11:1: failover."a b" is not a known key; known here: policy
  11 | "a b" = 3
     | ^^^^^
`.trim(),
  );
});

describe("one problem", () => {
  test.each([
    [
      "[roles.mysq]\nvip = 1",
      "1:8: roles.mysq is a role that this version does not know; did you mean mysql?",
    ],
    ["[clutser]", "1:2: clutser is not a known key; did you mean cluster?"],
    ["roles = 3", "1:9: roles must be a table"],
    ["roles.mysql = { }", "1:7: roles.mysql.vip is missing"],
    [
      'roles.mysql.vip = "10.0.0.256"',
      '1:19: roles.mysql.vip must be an IPv4 address, like "192.168.231.30"',
    ],
    ['roles.mysql.vip = "fd00::1"', "1:19: roles.mysql.vip must be an IPv4 address"],
    ['roles.mysql.vip = "010.0.0.1"', "1:19: roles.mysql.vip must be an IPv4 address"],
    ["roles.mysql.vip = 10", "1:19: roles.mysql.vip must be a string: an IPv4 address"],
    [
      'roles.mysql.vip = "10.0.0.9/33"',
      '1:19: roles.mysql.vip must have a prefix from 1 to 32, like "10.0.0.9/24"',
    ],
    ['roles.mysql.vip = "10.0.0.9/0"', "1:19: roles.mysql.vip must have a prefix from 1 to 32"],
    ['roles.mysql.vip = "10.0.0.9/24/1"', "1:19: roles.mysql.vip must have a prefix from 1 to 32"],
    ['roles.mysql.vip = "127.0.0.1"', "1:19: roles.mysql.vip must be an address that a host can have"],
    ['roles.mysql.vip = "224.0.0.18"', "1:19: roles.mysql.vip must be an address that a host can have"],
    ['cluster.name = "Chime"', "1:16: cluster.name must be up to 63 of a-z, 0-9 and -"],
    [
      'cluster.interface = "a-name-of-16-chr"',
      '1:21: cluster.interface must be "auto" or the name of an interface',
    ],
    ['cluster.domain = "x..y"', "1:18: cluster.domain must be a domain name"],
    ["cluster.vrid_base = 1.5", "1:21: cluster.vrid_base must be a whole number"],
    ['[roles.mysql]\nvip = "10.0.0.9"\ndatabases = []', "3:13: roles.mysql.databases must name at least one"],
    [
      '[roles.mysql]\nvip = "10.0.0.9"\ndatabases = ["a", "a"]',
      "3:13: roles.mysql.databases names a database twice",
    ],
    [
      '[roles.influxdb]\nvip = "10.0.0.9"\nretention = "59m"',
      '3:13: roles.influxdb.retention must be "forever"',
    ],
    ['[roles.influxdb]\nvip = "10.0.0.9"\nretention = "0h"', "3:13: roles.influxdb.retention must be"],
    ['[roles.influxdb]\nvip = "10.0.0.9"\nbucket = "chime-node"', "3:10: roles.influxdb.bucket must be"],
    [
      '[roles.influxdb]\nvip = "10.0.0.9"\nbuckets = ["a"]',
      "3:12: roles.influxdb.buckets[1] must be a bucket",
    ],
    [
      '[roles.influxdb]\nvip = "10.0.0.9"\nbuckets = ["a:1d", "a:2d"]',
      "3:11: roles.influxdb.buckets names a bucket twice",
    ],
    [
      '[roles.influxdb]\nvip = "10.0.0.9"\nbuckets = ["chime:1d"]',
      "3:11: roles.influxdb.buckets must not name chime",
    ],
    ['[cluster]\nname = "chime', "2:8: unfinished string"],
    ['[cluster]\nname = "chime\ndomain = "x"', "2:14: unfinished string"],
    ["cluster = 1979-05-27", "1:11: cluster must be a table"],
    ["[[cluster]]", "1:3: cluster must be a table"],
    ['[cluster]\nname = "a"\nname = "b"', "3:1: trying to redefine"],
    ["[cluster\n", "1:"],
    ["a = \u0000", "1:"],
  ])("%j", (toml, expected) => {
    const message = complaint(toml);
    expect(message).toStartWith(`cluster.toml:${expected}`);
    expect(message.match(/^cluster\.toml:/gm)).toHaveLength(1);
  });
});

test("the buckets of InfluxDB, the main one first, with what they keep", () => {
  const toml = '[roles.influxdb]\nvip = "10.0.0.9"\nretention = "30d"\nbuckets = ["a.b-c:2w", "raw:forever"]';
  expect(parseSpec(toml, "cluster.toml").roles.influxdb?.buckets).toEqual([
    { name: "chime", retentionSeconds: 2_592_000 },
    { name: "a.b-c", retentionSeconds: 1_209_600 },
    { name: "raw", retentionSeconds: 0 },
  ]);
});

test("an endless list of problems is cut", () => {
  const toml = Array.from({ length: 100 }, (_, i) => `k${i} = ${i}`).join("\n");
  const lines = complaint(toml).split("\n");
  expect(lines).toHaveLength(30 * 3 + 1);
  expect(lines.at(-1)).toBe("and 70 more");
});

test("a line too wide for any screen is cut, or not shown where the place is far out", () => {
  const wide = complaint(`cluster.name = "${"x".repeat(5_000)}"`);
  expect(wide.split("\n").every((line) => line.length < 200)).toBe(true);
  expect(complaint(`cluster = { ${" ".repeat(500)} nam = 1 }`).split("\n")).toHaveLength(1);
});

test("a file cannot drive the terminal that shows its errors", () => {
  const message = complaint("nam = '\u009B31m' # \u009B2J\n\"\\u001b[2J\" = 1");
  expect(message.includes("\u009B") || message.includes("\u001B")).toBe(false);
});

test("a file larger than any cluster.toml is refused before it is parsed", () => {
  expect(complaint(`#${"x".repeat(300_000)}`)).toStartWith("cluster.toml:1:1: ");
});

test("a file that is not there is wrong usage", async () => {
  expect(await caught(loadSpec("/nonexistent/cluster.toml"))).toMatchObject({
    code: "spec.unreadable",
    exit: 2,
  });
});

test("nesting as deep as the file is long is an error like any other", () => {
  expect(complaint(`a = ${"[".repeat(100_000)}`)).toStartWith("cluster.toml:1:");
  expect(complaint(`a = ${"[".repeat(900)}${"]".repeat(900)}`)).toStartWith(
    "cluster.toml:1:1: a is not a known key",
  );
});

test("random input is a spec or a ChimeError, whose place is in the file", () => {
  const next = random(20261121);
  const words = [
    ..."\n\n\n==..,[]{}\"'# \t\\0".split(""),
    "[[",
    "]]",
    '"""',
    "'''",
    "cluster",
    "roles",
    "mysql",
    "vip",
    "name",
    "databases",
    "__proto__",
    "toString",
    '"10.0.0.9"',
    '"\\u12"',
    "true",
    "inf",
    "1979-05-27",
    "\r\n",
    "é",
    "\u{1F600}",
    "\u0000",
    "[roles.mysql]\n",
    "vip = ",
    '= "x"\n',
    "= [1, 2]\n",
    "= { a = 1 }\n",
  ];
  let accepted = 0;
  for (let round = 0; round < 5_000; round++) {
    const toml = Array.from({ length: next(30) }, () => words[next(words.length)] as string).join("");
    try {
      parseSpec(toml, "f");
      accepted++;
    } catch (error) {
      if (!(error instanceof ChimeError)) throw new Error(`on ${JSON.stringify(toml)}`, { cause: error });
      const [, line, column] = /^f:(\d+):(\d+): /.exec(error.message) ?? [];
      const text = toml.split("\n")[Number(line) - 1];
      if (text === undefined || Number(column) > text.length + 1) {
        throw new Error(`no such place in ${JSON.stringify(toml)}`, { cause: error });
      }
    }
  }
  expect(accepted).toBeGreaterThan(10);
});

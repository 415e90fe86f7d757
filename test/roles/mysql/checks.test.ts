import { expect, test } from "bun:test";
import type { Facts } from "../../../src/host/facts.ts";
import { parseOsRelease } from "../../../src/host/os.ts";
import { checks } from "../../../src/roles/mysql/checks.ts";
import type { LocalContext } from "../../../src/roles/types.ts";
import { parseSpec } from "../../../src/spec/load.ts";
import { releases } from "../../host/os-releases.ts";

/** What `mysql.system` finds for an engine on a system. */
function found(key: string, engine: string) {
  const release = releases.find((one) => one.key === key);
  if (!release) throw new Error(`no os-release of ${key}`);
  const facts = { os: parseOsRelease(release.text) } as Facts;
  const toml = `[roles.mysql]\nengine = "${engine}"\nvip = "10.0.0.9"\n`;
  const local: LocalContext = {
    facts,
    node: "node1",
    address: "10.0.0.1",
    clusterId: undefined,
    spec: parseSpec(toml, "cluster.toml"),
  };
  return checks(local)
    .find(({ name }) => name === "mysql.system")
    ?.run();
}

test.each([
  ["debian-12", "mariadb", undefined],
  ["debian-12", "percona", undefined],
  ["ubuntu-22.04", "percona", "warning"],
  ["ubuntu-24.04", "mariadb", "warning"],
  ["el-10", "mariadb", "warning"],
  ["el-9", "percona", "warning"],
  ["el-8", "mysql", "warning"],
] as const)("%s with %s: %p", async (key, engine, severity) => {
  expect((await found(key, engine))?.severity).toBe(severity);
});

import { expect, test } from "bun:test";
import { requireChangeable } from "../../src/operations/spec-change.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { failure } from "../plan/failure.ts";

const toml = (text: string) => parseSpec(text, "cluster.toml");
const now = {
  spec: toml('[roles.mysql]\nvip = "10.0.0.30"\nengine = "mariadb"\n'),
  cluster: { name: "chime" },
  members: [
    { name: "node1", roles: ["mysql"] },
    { name: "node2", roles: ["mysql"] },
    { name: "node3", roles: ["witness"] },
  ],
};

test.each([
  ["cluster.name", '[cluster]\nname = "other"\n[roles.mysql]\nvip = "10.0.0.30"\nengine = "mariadb"\n'],
  ["roles.mysql.engine", '[roles.mysql]\nvip = "10.0.0.30"\nengine = "mysql"\n'],
  ["roles.mysql.topology", '[roles.mysql]\nvip = "10.0.0.30"\nengine = "mariadb"\ntopology = "galera"\n'],
  ["node1 and node2", "[cluster]\n"],
])("%s stays as it is", async (said, text) => {
  const change = (async () => requireChangeable(now, toml(text)))();
  expect(await failure(change)).toMatchObject({
    code: "spec.fixed",
    exit: 3,
    message: expect.stringContaining(said),
  });
});

test.each([
  ["org", "roles.influxdb.org is chime", 'org = "other"'],
  ["bucket", "roles.influxdb.bucket is chime", 'bucket = "other"'],
])("another %s of InfluxDB is another cluster's", async (_, said, key) => {
  const twins = (more: string) => toml(`[roles.influxdb]\nvip = "10.0.0.40"\n${more}\n`);
  const members = [{ name: "node1", roles: ["influxdb"] }];
  const change = (async () => requireChangeable({ ...now, spec: twins(""), members }, twins(key)))();
  expect(await failure(change)).toMatchObject({
    code: "spec.fixed",
    exit: 3,
    message: expect.stringContaining(said),
  });
  requireChangeable({ ...now, spec: twins(""), members }, twins('retention = "30d"'));
});

test("what moves no data may be changed", () => {
  requireChangeable(now, toml('[roles.mysql]\nvip = "10.0.0.31"\nengine = "mariadb"\ndatabases = ["a"]\n'));
});

test("a role that nobody has yet may be another one", () => {
  const bare = { ...now, members: [{ name: "node1", roles: [] }] };
  requireChangeable(bare, toml('[roles.mysql]\nvip = "10.0.0.30"\nengine = "mysql"\n'));
  requireChangeable(bare, toml("[cluster]\n"));
});

import { expect, test } from "bun:test";
import { desired, keptInShape } from "../../src/agent/desired.ts";
import type { MemberView, Phase } from "../../src/cluster/types.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { twinContext, twinNode } from "../roles/influxdb/context.ts";

const spec = parseSpec(
  '[roles.mysql]\nvip = "10.0.0.30"\nengine = "mariadb"\n[roles.influxdb]\nvip = "10.0.0.40"\nbinary = "/root/influxd"',
  "cluster.toml",
);

/** The hash of keepalived's configuration where this node has both roles and these phases. */
function keepalived(phase: Record<string, Phase>, names: string[]): string | undefined {
  const node: MemberView = { ...twinNode(1), roles: ["mysql", "influxdb"], phase };
  const context = { ...twinContext([node]), spec };
  const { configured } = desired(context, names);
  return configured.find(({ id }) => id === "file:/etc/keepalived/keepalived.conf")?.desired;
}

test("a role that is taken later leaves the VIP of one that serves where it is", () => {
  const both = keepalived({ mysql: "ready", influxdb: "ready" }, ["mysql", "influxdb"]);
  expect(both).toBeDefined();
  expect(keepalived({ mysql: "ready", influxdb: "installed" }, ["influxdb"])).toBe(both as string);
  expect(keepalived({ mysql: "ready", influxdb: "installed" }, ["mysql"])).not.toBe(both as string);
});

test("what two roles need alike is there once", () => {
  const node: MemberView = { ...twinNode(1), roles: ["mysql", "influxdb"] };
  const { installed } = desired({ ...twinContext([node]), spec });
  const ids = installed.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("of a role that does not serve yet the agent asks its service for nothing", () => {
  const kept = (phase: Phase, serves: boolean) => {
    const node: MemberView = { ...twinNode(1), roles: ["influxdb"], phase: { influxdb: phase } };
    const all = keptInShape({ ...twinContext([node]), spec }, "ready", () => serves);
    return ["service:influxdb.service", "influxdb:buckets"].map((id) => all.some((one) => one.id === id));
  };
  expect(kept("installed", false)).toEqual([false, false]);
  expect(kept("configured", false)).toEqual([true, false]);
  expect(kept("configured", true)).toEqual([true, true]);
  expect(kept("ready", false)).toEqual([true, true]);
});

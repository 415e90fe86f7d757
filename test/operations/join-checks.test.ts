import { expect, test } from "bun:test";
import { runChecks } from "../../src/host/preflight.ts";
import { configuredChecks, countChecks } from "../../src/operations/join-checks.ts";
import { parseSpec } from "../../src/spec/load.ts";
import { diskOf } from "../host/disks/facts.ts";

const spec = parseSpec('[roles.minio]\nvip = "10.0.0.50"\ndisks_per_node = 2', "cluster.toml");
const sizes: Record<string, number> = { sda: 4e12, sdb: 4e12, sdc: 8e12 };
const disks = Object.entries(sizes).map(([kernel, size], nth) =>
  diskOf({ stableName: `/dev/${kernel}` }, { serial: kernel, size, number: `8:${nth}` }),
);
const numberOf = (path: string) => disks.find(({ facts }) => facts.stableName === path)?.facts.device.number;

test.each([
  [["minio"], true, ""],
  [["influxdb"], false, "no [roles.influxdb]"],
  [["minio", "influxdb"], false, "no [roles.influxdb]"],
  [["witness"], true, ""],
] as const)("a role that cluster.toml has, and one that it has not: %p", async (names, ok, message) => {
  const report = await runChecks(configuredChecks(spec, names));
  expect(report.ok).toBe(ok);
  expect(report.checks.map((check) => check.message).join("")).toContain(message);
});

test.each([
  ["as many as the layout has", ["/dev/sda", "/dev/sdb"], undefined],
  ["too few", ["/dev/sda"], "minio takes 2 disks a node, and 1 is given"],
  ["too many", ["/dev/sda", "/dev/sdb", "/dev/sdc"], "different sizes"],
  ["of two sizes", ["/dev/sda", "/dev/sdc"], "different sizes"],
  ["one that is not there, which is told elsewhere", ["/dev/sda", "/dev/sdz"], undefined],
])("disks for a role: %s", async (_, disk, message) => {
  const sources = { look: () => Promise.resolve(disks), given: () => Promise.resolve([]), numberOf };
  const { checks } = await runChecks(countChecks(spec, { role: ["minio"], disk }, sources));
  expect(checks).toHaveLength(1);
  expect(checks[0]?.result).toBe(message === undefined ? "ok" : "error");
  expect(checks[0]?.message).toContain(message ?? "");
});

test("roles that take no disks have nothing to count", () => {
  const look = () => Promise.resolve(disks);
  expect(countChecks(spec, { role: ["influxdb"], disk: ["/dev/sda"] }, { look })).toEqual([]);
});

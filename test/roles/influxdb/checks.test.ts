import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkData, checks } from "../../../src/roles/influxdb/checks.ts";
import type { Marker } from "../../../src/roles/marker.ts";
import { twinContext, twinNode } from "./context.ts";

const { spec, facts } = twinContext([twinNode(1)]);
const local = { spec, facts, node: "node1", address: "10.0.0.11", clusterId: "1" };

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "chime-influxdb-data-"));
});
afterEach(() => rm(data, { recursive: true }));

const mark = (marker: Marker) => writeFile(join(data, "chime-node.json"), JSON.stringify(marker));
const ours: Marker = { cluster: "1", clusterName: "chime", node: "node1" };

test("an empty directory, none, and a disk of its own are nobody's; what this node kept is taken up again", async () => {
  expect(await checkData(local, join(data, "none"))).toBeUndefined();
  expect(await checkData(local, data)).toBeUndefined();
  await mkdir(join(data, "lost+found"));
  expect(await checkData(local, data)).toBeUndefined();
  await writeFile(join(data, "influxd.bolt"), "");
  await mark(ours);
  expect(await checkData(local, data)).toBeUndefined();
});

test.each<[string, Marker | undefined, string]>([
  ["a server that nobody of ours made", undefined, "somebody's data (engine)"],
  ["another cluster's", { ...ours, cluster: "2", clusterName: "old" }, "data of node1 of the cluster old"],
  ["another node's", { ...ours, node: "node2" }, "data of node2 of the cluster chime"],
])("data of somebody else are refused, and said whose they are: %s", async (_, marker, whose) => {
  await mkdir(join(data, "engine"));
  if (marker) await mark(marker);
  expect(await checkData(local, data)).toMatchObject({
    severity: "error",
    message: expect.stringContaining(whose),
    remedy: expect.stringContaining(`move ${data} away`),
  });
});

test("it is looked at before a join", () => {
  expect(checks(local).map(({ name }) => name)).toContain("influxdb.foreign_data");
});

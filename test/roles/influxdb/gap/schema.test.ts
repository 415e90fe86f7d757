import { afterAll, expect, test } from "bun:test";
import { listMeasurements } from "../../../../src/roles/influxdb/gap/schema.ts";
import type { Side } from "../../../../src/roles/influxdb/gap/sides.ts";

/** Types of fields, by measurement. */
type Fields = Record<string, Record<string, string[]>>;
let fields: Fields = {};
const http = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch() {
    const series = Object.entries(fields).map(([name, types]) => ({
      name,
      columns: ["fieldKey", "fieldType"],
      values: Object.entries(types).flatMap(([field, all]) => all.map((type) => [field, type])),
    }));
    return Response.json({ results: [{ series }] });
  },
});
afterAll(() => http.stop(true));

const side: Side = {
  server: { address: "127.0.0.1", port: http.port ?? 0, org: "chime" },
  bucket: { id: "1", orgId: "1", name: "chime", retentionSeconds: 0, shardSeconds: 604_800 },
  database: { db: "chime", rp: "autogen" },
};

const f = { f: ["float"] };
test.each<[string, Fields, string | undefined]>([
  ["any names", { m: f, _x: f, _field: { _field: ["float"], "a\rb": ["float"] } }, undefined],
  ["a measurement that InfluxQL keeps for itself", { m: f, _series: f }, "measurement _series of"],
  ["several", { m: f, _series: f, _tags: f }, "measurement _series and 1 more of"],
  ["a field", { m: f, x: { ...f, _name: ["float"] } }, "measurement x (by its field _name) of"],
  ["a name that no statement can write", { m: f, "a\rb": f }, "measurement a b of"],
  ["another one", { m: f, "\0a": f }, "measurement  a of"],
  [
    "such a field that is asked for by its name",
    { m: f, x: { f: ["float", "integer"], "a\rb": ["float"] } },
    "measurement x (by its field a b) of",
  ],
])("what cannot be asked for is left out and told: %s", async (_, given, told) => {
  fields = given;
  const pair = { name: "chime", mine: side, other: side };
  const { measurements, held } = await listMeasurements(pair, { timeoutMs: 5_000 });
  const names = measurements.map(({ name }) => name);
  expect(names).toEqual(told === undefined ? Object.keys(given).toSorted() : ["m"]);
  const why = { code: "influxdb.unaskable", message: expect.stringContaining(told ?? "") };
  expect(held).toMatchObject(told === undefined ? [] : [{ bucket: "chime", why }]);
});

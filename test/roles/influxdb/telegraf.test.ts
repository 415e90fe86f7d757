import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { renderTelegraf } from "../../../src/roles/influxdb/telegraf.ts";

test("a buffer and an output for each server, listening for the clients of its own machine alone", () => {
  const endpoints = ["http://10.0.0.11:8086", "http://10.0.0.12:8086"];
  const config = renderTelegraf({ cluster: "chime", endpoints, org: 'the "best"\\one', token: "secret" });
  const { agent, inputs, outputs } = parse(config) as Record<string, Record<string, unknown>>;
  expect(agent).toMatchObject({ flush_interval: "200ms" });
  expect(inputs?.["influxdb_v2_listener"]).toMatchObject([{ service_address: "127.0.0.1:8086" }]);
  expect(outputs?.["influxdb_v2"]).toMatchObject(
    endpoints.map((url) => ({
      urls: [url],
      token: "secret",
      organization: 'the "best"\\one',
      influx_uint_support: true,
    })),
  );
});

test("a server that speaks TLS is verified, and one that does not yet is not", () => {
  const endpoints = ["https://10.0.0.11:8086", "http://10.0.0.12:8086"];
  const config = renderTelegraf({ cluster: "chime", endpoints, org: "chime", token: "secret" });
  const { outputs } = parse(config) as Record<string, Record<string, { tls_ca?: string }[]>>;
  expect(outputs?.["influxdb_v2"]?.map(({ tls_ca: ca }) => ca)).toEqual([
    "/etc/telegraf/chime-node-ca.crt",
    undefined,
  ]);
});

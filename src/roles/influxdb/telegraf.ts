export interface TelegrafInput {
  cluster: string;
  /** Of the servers, e.g. `http://192.168.231.11:8086`. */
  endpoints: readonly string[];
  org: string;
  /** May write and nothing else. */
  token: string;
}

/** Where a client's machine has the certificate of the cluster's CA, which Telegraf asks of servers that speak TLS. */
const authorityFile = "/etc/telegraf/chime-node-ca.crt";

/**
 * A configuration of Telegraf for clients that can write to one address only: it runs beside them, takes what they write
 * to InfluxDB's own API on loopback, and gives it to each server, with a buffer for each. Tried with 1.37.2: with its
 * buffer on disk (experimental there) 100 points took 2.6 s on a busy machine, so it is in memory; unsigned integers
 * become signed ones unless it is told otherwise.
 * https://docs.influxdata.com/telegraf/v1/configuration/
 */
export function renderTelegraf({ cluster, endpoints, org, token }: TelegrafInput): string {
  const outputs = endpoints.map(
    (url) => `
[[outputs.influxdb_v2]]
  urls = [${text(url)}]
  token = ${text(token)}
  organization = ${text(org)}
  bucket_tag = "_bucket"
  exclude_bucket_tag = true
  influx_uint_support = true${url.startsWith("https:") ? `\n  tls_ca = ${text(authorityFile)}` : ""}`,
  );
  return `# Made by chime-node influxdb telegraf, for ${cluster}. It holds a token: chmod 600, and chown it to telegraf.

[agent]
  # What was taken and not given to any server is lost when Telegraf is killed.
  flush_interval = "200ms"
  metric_batch_size = 5000
  # For each server; about 1 KB of memory a point. The oldest are dropped when it is full: chime-node fills what one lacks.
  metric_buffer_limit = 500000
  omit_hostname = true

[[inputs.influxdb_v2_listener]]
  service_address = "127.0.0.1:8086"
  bucket_tag = "_bucket"
${outputs.join("\n")}`;
}

/** A basic string of TOML: JSON's escapes are among its own. */
const text = (value: string): string => JSON.stringify(value);

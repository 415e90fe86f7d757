import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import type { Server } from "../../src/roles/influxdb/client.ts";
import { isNew, isUp, setUp } from "../../src/roles/influxdb/setup.ts";
import { start, type Running } from "./process.ts";
import { waitUntil } from "./wait.ts";

/** A real server with its data in memory, in the network and mount namespace of whoever starts it. */
export interface InfluxServer {
  readonly server: Server;
  readonly directory: string;
  readonly process: Running;
}

interface Wanted {
  directory: string;
  address: string;
  /** Of its file system; default 512 MiB. */
  mebibytes?: number;
}

const limits = { timeoutMs: 5_000 };
/** Of the administrator and of whatever is set up, for tests alone. */
const token = "admin-token-of-the-test";
const setup = { username: "chime", password: "password-of-the-test", org: "chime", bucket: "chime", token };

/** On a directory that is there already, what is in it is taken up; else it is set up with a bucket `chime`. */
export async function startInfluxd(binary: string, wanted: Wanted): Promise<InfluxServer> {
  const { directory, address, mebibytes = 512 } = wanted;
  await mkdir(directory, { recursive: true });
  const { code } = await exec(["mountpoint", "-q", directory], { ok: "any" });
  if (code !== 0) await exec(["mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", directory]);
  const places = ["--bolt-path", join(directory, "influxd.bolt"), "--engine-path", join(directory, "engine")];
  const process = start(
    [binary, "run", "--reporting-disabled", "--http-bind-address", `${address}:8086`, ...places].concat([
      "--sqlite-path",
      join(directory, "influxd.sqlite"),
      "--log-level",
      "error",
    ]),
    { env: { HOME: directory } },
  );
  const server = { address, port: 8086, token, org: setup.org };
  await waitUntil(`InfluxDB at ${address}`, 30_000, () => isUp(server, limits));
  if (await isNew(server, limits)) await setUp(server, { ...setup, retentionSeconds: 0 }, limits);
  return { server, directory, process };
}

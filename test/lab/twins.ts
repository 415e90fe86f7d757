import { copyFile } from "node:fs/promises";
import { buildBinary } from "../../scripts/build.ts";
import type { Status } from "../../src/agent/status.ts";
import { paths } from "../../src/core/paths.ts";
import { Record as TwinRecord } from "../../src/roles/influxdb/record.ts";
import type { TwinStatus } from "../../src/roles/types.ts";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import { subnet } from "./network.ts";
import type { LabNode, NodeOptions } from "./node.ts";
import type { Initialized } from "./pair.ts";

/** The twins' floating address in every lab. */
export const twinVip = `${subnet}.40`;

/** Where the operator has put the server's program on each node. */
const program = "/root/influxd";

/** Keys of cluster.toml; undefined takes away what the lab sets. */
type Settings = Record<string, string | undefined>;

/** The words that set what the role needs; `more` settings, or others. */
export function twinSettings(more: Settings = {}): string[] {
  const settings: Settings = { "roles.influxdb.binary": program, ...more };
  return Object.entries(settings).flatMap(([key, value]) =>
    value === undefined ? [] : ["--set", `${key}=${value}`],
  );
}

/** What an operator types to make a cluster of twins. */
export function twinInit(more: Settings = {}): string[] {
  return ["init", "--vip", `influxdb=${twinVip}`, ...twinSettings({ "cluster.packages": "os", ...more })];
}

/** Two nodes with the binary, and the server's program where the operator has put it. */
export async function openTwinLab(
  influxd: string,
  {
    nodes = ["node1", "node2"],
    prepared = true,
  }: { nodes?: (string | NodeOptions)[]; prepared?: boolean } = {},
): Promise<Lab> {
  const binary = await buildBinary();
  const lab = await Lab.open({ prepared, nodes });
  try {
    await Promise.all(
      lab.nodes.map(async (node) => {
        await node.install(binary);
        await copyFile(influxd, node.path(program));
      }),
    );
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** `init` on the first, then `join` on both at once. Both are ready when this returns. */
export async function formTwins(lab: Lab, more?: Settings): Promise<void> {
  const { json } = await chime<Initialized>(lab.node("node1"), twinInit(more));
  if (json.error) throw new Error(json.error.message);
  await Promise.all(lab.nodes.map((node) => joinTwin(node, json.token)));
}

export async function joinTwin(node: LabNode, token: string): Promise<void> {
  const words = ["chime-node", "join", "--role", "influxdb"];
  await node.run(words, { timeoutMs: 300_000, env: { CHIME_TOKEN: token } });
}

/** `secrets show --role influxdb`. */
export interface Shown {
  vip_endpoint: string;
  real_endpoints: string;
  token: string;
  org: string;
  bucket: string;
  read_token: string;
  write_token: string;
  ca_file?: string;
}

export async function shown(node: LabNode): Promise<Shown> {
  return (await chime<Shown>(node, ["secrets", "show", "--role", "influxdb"])).json;
}

export async function twinStatus(node: LabNode): Promise<TwinStatus> {
  return (await chime<Status>(node, ["status"])).json.roles["influxdb"] as TwinStatus;
}

/** What a node's agent has written down of its server. No process, beside which clients would be slower. */
export function recordOf(node: LabNode): Promise<TwinRecord> {
  return TwinRecord.load(node.path(paths.influxdbGap));
}

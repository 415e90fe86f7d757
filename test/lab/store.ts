import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "smol-toml";
import { buildBinary } from "../../scripts/build.ts";
import type { Status } from "../../src/agent/status.ts";
import { isStore, type StoreStatus } from "../../src/roles/types.ts";
import type { Store } from "../../src/roles/minio/store.ts";
import { chime } from "./chime.ts";
import { Lab } from "./lab.ts";
import { LoopDevice } from "./loops.ts";
import type { LabNode } from "./node.ts";
import { subnet } from "./network.ts";
import type { Initialized } from "./pair.ts";
import type { StoreJob, StoreOutcome } from "./store-program.ts";

/** The store's floating address in every lab. */
export const storeVip = `${subnet}.50`;

/** Where the operator has put the server's program on each node. */
const program = "/root/minio";

const diskBytes = 2 ** 30 + 2 ** 20 * (1 + (process.pid % 100));

/** Of `cluster.toml`; undefined: it is left out. */
type Settings = Record<string, string | undefined>;

/** What an operator types to make a cluster that stores objects on so many nodes; `more` settings, or others. */
export function storeInit(nodes: number, disks: number, more: Settings = {}): string[] {
  const settings = {
    "cluster.packages": "os",
    "roles.minio.engine": "minio",
    "roles.minio.binary": program,
    "roles.minio.nodes": nodes,
    "roles.minio.disks_per_node": disks,
    ...more,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) =>
    value === undefined ? [] : ["--set", `${key}=${value}`],
  );
  return ["init", "--vip", `minio=${storeVip}`, ...sets];
}

/** Nodes with blank disks, and the server's program where the operator has put it; bare ones where they are not prepared. */
export async function openStoreLab(
  nodes: number,
  disks: number,
  minio: string,
  { prepared = true }: { prepared?: boolean } = {},
): Promise<Lab> {
  const binary = await buildBinary();
  const names = Array.from({ length: nodes }, (_, i) => `node${i + 1}`);
  const lab = await Lab.open({ prepared, nodes: names, boot: false });
  try {
    for (const node of lab.nodes) {
      const devices = await Promise.all(
        Array.from({ length: disks }, (_, i) =>
          LoopDevice.attach(join(lab.work, `${node.name}-disk${i + 1}.img`), { bytes: diskBytes }),
        ),
      );
      node.devices = devices.map(({ path }) => path);
    }
    await Promise.all(lab.nodes.map((node) => node.boot()));
    await Promise.all(
      lab.nodes.map(async (node) => {
        await node.install(binary);
        await copyFile(minio, node.path(program));
      }),
    );
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

/** `init` on the first, then `join` with its disks on all at once. All are ready when this returns. */
export async function formStore(lab: Lab, more?: Settings): Promise<void> {
  const [first] = lab.nodes;
  if (!first) throw new Error("a store needs nodes");
  const { json } = await chime<Initialized>(first, storeInit(lab.nodes.length, first.devices.length, more));
  if (json.error) throw new Error(json.error.message);
  await Promise.all(lab.nodes.map((node) => joinStore(node, json.token)));
}

/** What an operator types to give a node's disks to the store. */
export function joinWords(node: LabNode): string[] {
  return ["chime-node", "join", "--role", "minio", ...node.devices.flatMap((path) => ["--disk", path])];
}

export async function joinStore(node: LabNode, token: string): Promise<void> {
  await node.run(joinWords(node), { timeoutMs: 600_000, env: { CHIME_TOKEN: token } });
}

/** An application on the lab's client machine does one thing with one object. */
export async function useStore(
  lab: Lab,
  job: Pick<StoreJob, "store" | "verb" | "key"> & Partial<StoreJob>,
): Promise<StoreOutcome> {
  const whole: StoreJob = { seed: "first", patienceMs: 0, ...job };
  const program = join(import.meta.dir, "store-program.ts");
  const { stdout } = await lab.client.run([process.execPath, program, JSON.stringify(whole)], {
    timeoutMs: whole.patienceMs + 60_000,
  });
  return JSON.parse(stdout) as StoreOutcome;
}

/** What is wrong with the cluster, by its codes. */
export async function problemsOf(node: LabNode): Promise<string[]> {
  return (await chime<Status>(node, ["status"])).json.problems.map(({ code }) => code).toSorted();
}

/** `status` as a store's node tells it. */
export async function storeStatus(node: LabNode): Promise<StoreStatus> {
  const role = (await chime<Status>(node, ["status"])).json.roles["minio"];
  if (!role || !isStore(role)) throw new Error(`${node.name} has no store`);
  return role;
}

/** The administrator's password, as a node has it. */
export async function rootPassword(node: LabNode): Promise<string> {
  const secrets = parse(await node.read("/etc/chime-node/secrets.toml")) as Record<
    string,
    Record<string, string>
  >;
  return secrets["minio"]?.["root_password"] ?? "";
}

/** How an application reaches the store: what `secrets show` says. */
export async function applicationStore(node: LabNode): Promise<Store> {
  interface Shown {
    endpoint: string;
    access_key: string;
    secret_key: string;
    ca_file?: string;
  }
  const { json } = await chime<Shown>(node, ["secrets", "show", "--role", "minio"]);
  const { hostname, port } = new URL(json.endpoint);
  return {
    address: hostname,
    port: Number(port),
    ...(json.ca_file !== undefined && { ca: await node.read(json.ca_file) }),
    credentials: { accessKey: json.access_key, secretKey: json.secret_key },
  };
}

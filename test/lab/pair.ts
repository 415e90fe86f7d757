import { buildBinary } from "../../scripts/build.ts";
import type { Connection } from "../../src/operations/drill/database.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import { subnet } from "./network.ts";
import { system } from "./system.ts";
import { waitUntil } from "./wait.ts";
import { Writers } from "./writer.ts";

/** The pair's floating address in every lab. */
export const vip = `${subnet}.30`;

/** What an operator types to make a cluster with this floating address. */
export function initWords(address: string): string[] {
  return [
    "chime-node",
    "init",
    "--vip",
    `mysql=${address}`,
    "--set",
    `roles.mysql.engine=${system.engine}`,
    "--set",
    "cluster.packages=os",
    ...system.flags,
  ];
}

/** Shown by the demo. */
export const initCommand: readonly string[] = initWords(vip);
export const joinCommand = ["chime-node", "join", ...system.flags, "--role", "mysql"];

/** `init --json` of the contract. */
export interface Initialized {
  cluster: { name: string; id: string };
  node: string;
  token: string;
  join: string;
}

/** `status --json` of the contract, as far as tests look at it. */
export interface Status {
  cluster: { name: string; id: string };
  self: string;
  members: { name: string; address: string; roles: string[]; state: string; phase: Record<string, string> }[];
  vips: { role: string; address: string; holders: string[] }[];
  roles: Record<
    string,
    {
      writable: string[];
      voters: string[];
      last_promotion: { at: string } | null;
      nodes: { name: string; state: string; replicating: boolean; semi_sync: boolean; protected: boolean }[];
    }
  >;
  problems: { code: string; severity: "error" | "warning"; node: string; message: string; remedy: string }[];
  healthy: boolean;
}

/**
 * Two bare nodes become a pair the way an operator does it: init on the first, then join on both at once.
 * Both are ready when this returns.
 * @param settings of `init --set`, such as `failover.policy=safe`
 */
export async function formPair(lab: Lab, settings: readonly string[] = []): Promise<Initialized> {
  const binary = await buildBinary();
  await Promise.all(lab.nodes.map((node) => node.install(binary)));
  const created = await initialize(lab, settings);
  await joinBoth(lab, created);
  return created;
}

/** The first of the three lines. */
export async function initialize(lab: Lab, settings: readonly string[] = []): Promise<Initialized> {
  const [first] = lab.nodes;
  if (!first) throw new Error("a pair needs two nodes");
  const more = settings.flatMap((setting) => ["--set", setting]);
  return JSON.parse((await first.run([...initCommand, ...more, "--json"])).stdout) as Initialized;
}

/** The two that carry the database: the lab's first ones. */
export function pairOf(lab: Lab): [LabNode, LabNode] {
  const [first, second] = lab.nodes;
  if (!first || !second) throw new Error("a pair needs two nodes");
  return [first, second];
}

/** The second and the third line, started at once. */
export async function joinBoth(lab: Lab, { token }: Initialized): Promise<void> {
  const [first, second] = pairOf(lab);
  const timeoutMs = 600_000;
  await Promise.all([
    first.run(joinCommand, { timeoutMs }),
    second.run(joinCommand, { timeoutMs, env: { CHIME_TOKEN: token } }),
  ]);
}

/** A third member that runs nothing but the agent; resolves once it is one of the pair's voters. */
export async function joinWitness(node: LabNode, token: string): Promise<void> {
  const command = ["chime-node", "join", ...system.flags, "--role", "witness"];
  await node.run(command, { timeoutMs: 60_000, env: { CHIME_TOKEN: token } });
  const named = async () => (await status(node)).roles["mysql"]?.voters.includes(node.name) === true;
  await waitUntil(`${node.name} to be a voter`, 60_000, named, 100).catch(async (error: Error) => {
    throw new Error(`${error.message}: ${JSON.stringify((await status(node)).roles)}`);
  });
}

/** Starts writers through the VIP with the application's account. */
export async function startWriters(
  lab: Lab,
  options: { connections?: number; pauseMs?: number; table?: string } = {},
): Promise<Writers> {
  return Writers.start(lab, { ...(await connectionOf(lab)), ...options });
}

/** How an application connects: what `secrets show` says. */
export async function connectionOf(lab: Lab): Promise<Connection> {
  const node = lab.nodes.find((node) => node.running);
  if (!node) throw new Error("no node is running");
  type Shown = Omit<Connection, "database"> & { databases: string[] };
  const { json } = await chime<Shown>(node, ["secrets", "show", "--role", "mysql"]);
  const { host, port, user, password, databases } = json;
  return { host, port, user, password, database: databases[0] ?? "" };
}

/** @throws Error with what the node says where it has no status to give */
export async function status(node: LabNode): Promise<Status> {
  const { json } = await chime<Status>(node, ["status"]);
  if (json.error) throw new Error(`${node.name}: ${json.error.code}: ${json.error.message}`);
  return json;
}

/** The node that takes writes, and its peer. */
export async function writerOf(lab: Lab): Promise<{ writer: LabNode; replica: LabNode }> {
  const asked = lab.nodes.find((node) => node.running);
  if (!asked) throw new Error("no node is running");
  const { roles } = await status(asked);
  const name = roles["mysql"]?.writable[0];
  const writer = lab.nodes.find((node) => node.name === name);
  const replica = lab.nodes.find((node) => node.name !== name);
  if (!writer || !replica) throw new Error(`no node is writable: ${JSON.stringify(roles)}`);
  return { writer, replica };
}

import type { LabNode } from "./node.ts";
import { system } from "./system.ts";

/**
 * What the node's own server answers its administrator: one line a row, columns by tabs.
 * @throws Error with the client's words where it fails; `sqlOrNothing` does not
 */
export async function sql(node: LabNode, statement: string, database = ""): Promise<string> {
  return (await node.run(client(statement, database))).stdout.trim();
}

/** The same where the server may be down, or the guard may end this very connection: then what came until there. */
export async function sqlOrNothing(node: LabNode, statement: string, timeoutMs = 120_000): Promise<string> {
  return (await node.run(client(statement), { check: false, timeoutMs })).stdout.trim();
}

/**
 * Writes to a replica past everything that forbids it, and stops its replication: its agent compares when that starts
 * again. Not while the agent looks, who would end the session halfway.
 */
export async function strayWrite(node: LabNode, statement: string): Promise<void> {
  await node.run(["systemctl", "stop", "chime-node"]);
  await sql(node, `SET GLOBAL read_only = OFF; ${statement}; ${system.words.stop}`);
  await node.run(["systemctl", "start", "chime-node"]);
}

/** Whether clients may write there. A server that was killed, or is on its way down, takes no writes either. */
export async function writable(node: LabNode): Promise<boolean> {
  return (await sqlOrNothing(node, "SELECT @@read_only")) === "0";
}

function client(statement: string, database = ""): string[] {
  return [system.client, "-N", "-B", "-e", statement, ...(database === "" ? [] : [database])];
}

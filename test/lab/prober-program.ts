/**
 * Runs in the client's namespace: writes to both nodes by their own addresses, every 10 ms each, whoever the writer is,
 * and prints each write that was acknowledged as "NODE SENT ACKNOWLEDGED", ms on the clock of `Date.now()`.
 */
import { connect, drop, query, within, type Connection } from "../../src/operations/drill/database.ts";
import { impatient } from "../../src/operations/drill/writer.ts";

/** `host`: the VIP, for the table alone. */
export interface ProberSettings extends Connection {
  table: string;
  /** By name, their own addresses. */
  nodes: Record<string, string>;
  everyMs: number;
}

const now = () => performance.timeOrigin + performance.now();

const { nodes, table, everyMs, ...connection } = (await Bun.stdin.json()) as ProberSettings;
let lines: string[] = [];

async function probe(name: string, host: string): Promise<void> {
  let id = Date.now() * 1_000;
  for (;;) {
    const sql = connect({ ...connection, host });
    try {
      await within(impatient.connectMs, sql.connect());
      for (;;) {
        const sent = now();
        const write = `INSERT INTO ${table} (node, id) VALUES ('${name}', ${id++})`;
        // A refusal is an answer: the connection is still good.
        const refused = await within(
          impatient.statementMs,
          sql.unsafe(write).then(
            () => null,
            (error: { code?: string }) => error,
          ),
        );
        if (refused === null) lines.push(`${name} ${sent.toFixed(2)} ${now().toFixed(2)}`);
        else if (refused.code !== "ERR_MYSQL_SERVER_ERROR") throw refused as Error;
        await Bun.sleep(Math.max(0, everyMs - (now() - sent)));
      }
    } catch {
      await Bun.sleep(everyMs);
    } finally {
      drop(sql);
    }
  }
}

const columns = "node VARCHAR(63), id BIGINT, PRIMARY KEY (node, id)";
await query(connection, `CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
for (const [name, host] of Object.entries(nodes)) void probe(name, host);
for (;;) {
  await Bun.sleep(100);
  if (lines.length > 0) process.stdout.write(`${lines.join("\n")}\n`);
  lines = [];
}

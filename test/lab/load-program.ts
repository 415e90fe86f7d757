/**
 * Commits as fast as they are acknowledged, over some connections for some seconds, and prints what came of it as JSON;
 * settings come on stdin (a password has no place in argv). It remembers nothing, so that it costs little.
 */
import { connect, drop, query, type Connection } from "../../src/operations/drill/database.ts";

export interface LoadSettings extends Connection {
  table: string;
  connections: number;
  seconds: number;
}

export interface LoadResult {
  /** A second, from the time when all connections were busy. */
  commits: number;
  /** Of this program, as a share of one core. */
  cpu: number;
}

/** Until servers and this program have got into their stride, ms. */
const warmUpMs = 500;

const { table, connections, seconds, ...connection } = (await Bun.stdin.json()) as LoadSettings;
const columns = "id BIGINT AUTO_INCREMENT PRIMARY KEY, said CHAR(100) NOT NULL";
await query(connection, `CREATE TABLE IF NOT EXISTS ${table} (${columns})`);

let commits = 0;
const over = new AbortController();
const insert = `INSERT INTO ${table} (said) VALUES ('${"x".repeat(100)}')`;
const sessions = Array.from({ length: connections }, () => connect(connection));
await Promise.all(sessions.map((session) => session.connect()));
const work = sessions.map(async (session) => {
  while (!over.signal.aborted) {
    await session.unsafe(insert);
    commits += 1;
  }
});

await Bun.sleep(warmUpMs);
const before = { commits, at: performance.now(), cpu: process.cpuUsage() };
await Bun.sleep(seconds * 1000);
const took = (performance.now() - before.at) / 1000;
const { user, system } = process.cpuUsage(before.cpu);
const result: LoadResult = { commits: (commits - before.commits) / took, cpu: (user + system) / 1e6 / took };
over.abort();
await Promise.all(work);
sessions.forEach(drop);
console.log(JSON.stringify(result));

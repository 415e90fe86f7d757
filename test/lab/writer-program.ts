/**
 * Runs in the client's namespace: connections that insert rows as fast as they are acknowledged, and come back as soon
 * as they can. Each acknowledged id is kept in memory and appended to a file; settings come on stdin (a password has
 * no place in argv).
 */
import { SQL } from "bun";
import { open } from "node:fs/promises";

export interface WriterSettings {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  table: string;
  connections: number;
  /** Pause after each acknowledged row of a connection, ms. */
  pauseMs: number;
  /** An attempt to connect is given up after this, ms. */
  connectMs: number;
  /** A statement without an answer is given up, with its connection, after this, ms. */
  statementMs: number;
  /** Lines "ID MILLISECONDS", the time on the clock of `Date.now()`. */
  file: string;
}

/** Comparable between processes and, unlike Date.now(), finer than a millisecond. */
const now = () => performance.timeOrigin + performance.now();

function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: Timer | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

const settings = (await Bun.stdin.json()) as WriterSettings;
const acknowledged: string[] = [];
let nextId = 1;
const stop = new AbortController();

function connect(): SQL {
  const { host: hostname, port, user: username, password, database } = settings;
  return new SQL({ adapter: "mysql", hostname, port, username, password, database, max: 1, idleTimeout: 0 });
}

/** Closes without waiting: the server may never answer. */
function drop(sql: SQL): void {
  sql.close({ timeout: 0 }).catch(() => {});
}

async function write(): Promise<void> {
  while (!stop.signal.aborted) {
    const sql = connect();
    try {
      await within(settings.connectMs, sql.connect());
      while (!stop.signal.aborted) {
        const id = nextId++;
        const insert = sql.unsafe(`INSERT INTO ${settings.table} (id, noted) VALUES (${id}, NOW(6))`);
        await within(settings.statementMs, insert);
        acknowledged.push(`${id} ${now().toFixed(2)}`);
        if (settings.pauseMs > 0) await Bun.sleep(settings.pauseMs);
      }
    } catch {
      // Refused, reset, read-only or silent: all the same to a client that tries again.
      await Bun.sleep(5);
    } finally {
      drop(sql);
    }
  }
}

async function createTable(): Promise<void> {
  for (;;) {
    const sql = connect();
    try {
      await within(2_000, sql.connect());
      const columns = "id BIGINT PRIMARY KEY, noted DATETIME(6) NOT NULL";
      await within(5_000, sql.unsafe(`CREATE TABLE IF NOT EXISTS ${settings.table} (${columns})`));
      const [row] = await within(
        5_000,
        sql.unsafe(`SELECT COALESCE(MAX(id), 0) AS last FROM ${settings.table}`),
      );
      nextId = Number((row as { last: string }).last) + 1;
      return;
    } catch (error) {
      console.error((error as Error).message);
      await Bun.sleep(100);
    } finally {
      drop(sql);
    }
  }
}

process.once("SIGTERM", () => stop.abort());
await createTable();
const file = await open(settings.file, "a");
let flushed = 0;
async function flush(): Promise<void> {
  const lines = acknowledged.slice(flushed);
  flushed += lines.length;
  if (lines.length > 0) await file.write(`${lines.join("\n")}\n`);
}
const writers = Promise.all(Array.from({ length: settings.connections }, write));
console.log("writing");
while (!stop.signal.aborted) {
  await flush();
  await Bun.sleep(20);
}
await Promise.race([writers, Bun.sleep(settings.statementMs + settings.connectMs)]);
await flush();
await file.close();
process.exitCode = 0;
// eslint-disable-next-line unicorn/no-process-exit -- a dropped connection to a dead server would keep us alive
process.exit();

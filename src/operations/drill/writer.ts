import { systemClock } from "../../core/clock.ts";
import { againMs, Clients } from "./clients.ts";
import { connect, drop, query, within, type Connection } from "./database.ts";
import type { Acknowledged } from "./outage.ts";

export interface WriterSettings extends Connection {
  table: string;
  connections: number;
  /** Pause after each acknowledged row of a connection, ms. */
  pauseMs: number;
  /** An attempt to connect is given up after this, ms. */
  connectMs: number;
  /** A statement without an answer is given up, with its connection, after this, ms. */
  statementMs: number;
}

/** What an impatient client waits for, so that the outage seen is the pair's and not its own. */
export const impatient = { connectMs: 150, statementMs: 300 } as const;

/**
 * Clients of the pair: connections that insert rows as fast as they are acknowledged, come back as soon as they can,
 * and remember what they were promised.
 */
export class DrillWriter extends Clients {
  readonly settings: WriterSettings;
  protected readonly count: number;
  protected readonly patienceMs: number;
  #nextId = 1;

  constructor(settings: WriterSettings) {
    super();
    this.settings = settings;
    this.count = settings.connections;
    this.patienceMs = settings.statementMs + settings.connectMs;
  }

  /** Makes the table where it is not there, and begins behind its last row. @throws Error of the server */
  async prepare(): Promise<void> {
    const { table } = this.settings;
    const columns = "id BIGINT PRIMARY KEY, noted DATETIME(6) NOT NULL, server BIGINT NOT NULL";
    await query(this.settings, `CREATE TABLE IF NOT EXISTS ${table} (${columns})`);
    const [row] = await query(this.settings, `SELECT COALESCE(MAX(id), 0) AS last FROM ${table}`);
    this.#nextId = Number((row as { last: string }).last) + 1;
  }

  protected async client(_nth: number, signal: AbortSignal): Promise<void> {
    const { table, connectMs, statementMs, pauseMs } = this.settings;
    while (!signal.aborted) {
      const sql = connect(this.settings);
      try {
        await within(connectMs, sql.connect());
        while (!signal.aborted) {
          const id = this.#nextId++;
          const insert = `INSERT INTO ${table} (id, noted, server) VALUES (${id}, NOW(6), @@server_id)`;
          await within(statementMs, sql.unsafe(insert));
          this.promise(id);
          if (pauseMs > 0) await systemClock.sleep(pauseMs);
        }
      } catch {
        // Refused, reset, read-only or silent: all the same to a client that tries again.
        await systemClock.sleep(againMs);
      } finally {
        drop(sql);
      }
    }
  }
}

/** Ids that were acknowledged and are not among those that a server holds. */
export function missing(acknowledged: readonly Acknowledged[], present: Iterable<number>): number[] {
  const held = new Set(present);
  return acknowledged.map((row) => row.id).filter((id) => !held.has(id));
}

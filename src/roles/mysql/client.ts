// The type alone: the runtime's drivers, some milliseconds of each command's start, are loaded where they are used.
import type { SQL } from "bun";
import { failed } from "../../core/errors.ts";
import { mask } from "../../core/mask.ts";

export type Row = Readonly<Record<string, unknown>>;

export interface SessionOptions {
  /** Unix socket of the server; we are root there by unix_socket authentication, without any password. */
  socket: string;
  /** Its service, for remedies. */
  unit: string;
  /** A query that takes longer counts as a hung server: `mysql.hung`. */
  timeoutMs: number;
  /** The server closed the connection: within milliseconds after its process died. */
  onClose?: () => void;
}

/** One kept connection to the local server. Opens with the first query, and again with the next one after it broke. */
export class Session {
  readonly #options: SessionOptions;
  #sql: SQL | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Rows of one statement. @throws ChimeError `mysql.down`, `mysql.hung`, `mysql.statement` */
  async rows(statement: string, timeoutMs = this.#options.timeoutMs): Promise<Row[]> {
    const results = await this.#run(statement, timeoutMs);
    return rowsOf(results);
  }

  /** Rows of each of several statements, sent as one. They stop at the first that fails. */
  async batch(statements: readonly string[], timeoutMs = this.#options.timeoutMs): Promise<Row[][]> {
    const results = await this.#run(statements.join(";\n"), timeoutMs);
    return statements.length === 1 ? [rowsOf(results)] : (results as unknown[]).map(rowsOf);
  }

  /** Runs statements for their effect. */
  async run(statements: readonly string[], timeoutMs = this.#options.timeoutMs): Promise<void> {
    for (const statement of statements) await this.#run(statement, timeoutMs);
  }

  async #run(text: string, timeoutMs: number): Promise<unknown> {
    const sql = (this.#sql ??= this.#open());
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () =>
          reject(
            failed("mysql.hung", `the database server has not answered for ${timeoutMs / 1000} s`, {
              remedy: `look at its log: journalctl -u ${this.#options.unit}`,
            }),
          ),
        timeoutMs,
      );
    });
    const query = sql.unsafe(text).simple();
    try {
      return await Promise.race([query, late]);
    } catch (error) {
      query.catch(() => undefined);
      throw this.#translate(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #open(): SQL {
    const sql = new Bun.SQL({
      adapter: "mysql",
      path: this.#options.socket,
      // Empty fields would be filled from MYSQL_* variables of the environment.
      hostname: "localhost",
      username: "root",
      password: "",
      database: "",
      max: 1,
      idleTimeout: 0,
      connectionTimeout: 2,
      onclose: () => {
        if (this.#sql !== sql) return;
        this.#sql = undefined;
        this.#options.onClose?.();
      },
    });
    return sql;
  }

  #translate(error: unknown): Error {
    const { code, errno, message } = error as { code?: string; errno?: number; message?: string };
    if (code === "ERR_MYSQL_SERVER_ERROR") {
      return failed(
        "mysql.statement",
        mask(`the database server refused a statement: ${message} (${errno})`),
      );
    }
    // A broken or hanging connection is never used again: its answers would come late and to the wrong question.
    this.close();
    if (code === "mysql.hung") return error as Error;
    return failed("mysql.down", mask(`the database server cannot be reached: ${message}`), {
      remedy: `look at its log: journalctl -u ${this.#options.unit}`,
    });
  }

  close(): void {
    const sql = this.#sql;
    this.#sql = undefined;
    void sql?.close({ timeout: 0 }).catch(() => undefined);
  }
}

function rowsOf(result: unknown): Row[] {
  return Array.isArray(result) ? (result as Row[]) : [];
}

/** A column as text; empty where it is NULL or absent. */
export function text(value: unknown): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint"
    ? `${value}`
    : "";
}

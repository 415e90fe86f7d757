import type { SQL } from "bun";

/** How a client reaches a server. */
export interface Connection {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

/** One connection of its own, as a client of the pair has it. Every field is given: empty ones would be filled from the environment. */
export function connect({ host: hostname, port, user: username, password, database }: Connection): SQL {
  const where = { adapter: "mysql", hostname, port, username, password, database } as const;
  // Without TLS, MySQL's caching_sha2_password takes the password under the server's public key.
  return new Bun.SQL({ ...where, max: 1, idleTimeout: 0, allowPublicKeyRetrieval: true });
}

/** Closes without waiting: the server may never answer. */
export function drop(sql: SQL): void {
  sql.close({ timeout: 0 }).catch(() => {});
}

/** @throws Error "no answer" after `ms` */
export function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer")), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** Runs one statement over a fresh connection. @throws Error where the server refuses it or does not answer within `ms` */
export async function query(connection: Connection, statement: string, ms = 5_000): Promise<unknown[]> {
  const sql = connect(connection);
  try {
    await within(ms, sql.connect());
    return (await within(ms, sql.unsafe(statement))) as unknown[];
  } finally {
    drop(sql);
  }
}

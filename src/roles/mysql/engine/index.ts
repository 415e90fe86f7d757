import type { MysqlSpec } from "../../../spec/types.ts";
import { mariadb } from "./mariadb.ts";
import { mysql } from "./mysql.ts";
import type { Engine } from "./types.ts";

/** Percona Server is MySQL in all that matters here: how it is called and where it comes from is in the catalog. */
export const engines: Record<MysqlSpec["engine"], Engine> = { mariadb, mysql, percona: mysql };

export function engineOf(spec: MysqlSpec): Engine {
  return engines[spec.engine];
}

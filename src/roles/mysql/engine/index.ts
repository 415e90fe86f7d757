import type { MysqlSpec } from "../../../spec/types.ts";
import { mariadb } from "./mariadb.ts";
import type { Engine } from "./types.ts";

/** Every engine that this release can run; another is another file and a line here. */
export const engines: Partial<Record<MysqlSpec["engine"], Engine>> = { mariadb };

/** Preflight has refused the others (`mysql.engine`). */
export function engineOf(spec: MysqlSpec): Engine {
  const engine = engines[spec.engine];
  if (!engine) throw new Error(`the engine ${spec.engine} is not known`);
  return engine;
}

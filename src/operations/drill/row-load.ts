import * as v from "valibot";
import { systemClock } from "../../core/clock.ts";
import { failed, refused } from "../../core/errors.ts";
import type { RoleContext } from "../../roles/types.ts";
import { connectionTo } from "../connection.ts";
import { query, type Connection } from "./database.ts";
import { missingByNode, type Load } from "./load.ts";
import { DrillWriter, impatient, missing } from "./writer.ts";

/** The drill's own; a table of that name that is there belongs to a drill that was killed. */
const table = "chime_drill";

/** Some hundred commits a second: enough to see an outage to 5 ms, and no burden. */
const pace = { connections: 2, pauseMs: 5 };

/** Writes rows as an application does. @throws ChimeError `drill.no_database` */
export function rowLoad(context: RoleContext, role: string): Load {
  const connection = connectionOf(context, role);
  const writer = new DrillWriter({ ...connection, ...impatient, ...pace, table });
  return {
    what: "rows",
    clients: writer,
    async prepare() {
      await clear(connection);
      await writer.prepare();
    },
    compare: async () => ({
      missing: await missingByNode(
        context.members.filter((member) => member.roles.includes(role)),
        (host) => missingOn({ ...connection, host }, writer),
      ),
      misread: 0,
      conceded: null,
    }),
    remove: () => remove(connection),
  };
}

const connectionSchema = v.object({
  host: v.string(),
  port: v.number(),
  user: v.string(),
  password: v.string(),
  databases: v.pipe(v.array(v.string()), v.minLength(1)),
});

/** As an application connects. @throws ChimeError `drill.no_database` */
function connectionOf(context: RoleContext, role: string): Connection {
  const found = v.safeParse(connectionSchema, connectionTo(context, role));
  const [database] = found.success ? found.output.databases : [];
  if (!found.success || database === undefined) {
    throw refused("drill.no_database", `${role} has no database that a drill could write to`);
  }
  const { host, port, user, password } = found.output;
  return { host, port, user, password, database };
}

/** Removes what a drill that was killed left. @throws ChimeError `drill.running` where one is writing just now */
async function clear(connection: Connection): Promise<void> {
  const there = await query(connection, `SHOW TABLES LIKE '${table}'`);
  if (there.length === 0) return;
  const recent = `SELECT COUNT(*) AS found FROM ${table} WHERE noted > NOW(6) - INTERVAL 2 SECOND`;
  const [row] = (await query(connection, recent)) as { found: unknown }[];
  if (Number(row?.found) > 0) throw refused("drill.running", "another drill is under way in this cluster");
  await query(connection, `DROP TABLE IF EXISTS ${table}`);
}

async function missingOn(connection: Connection, { acknowledged }: DrillWriter): Promise<number> {
  const rows = (await query(connection, `SELECT id FROM ${table}`, 30_000)) as { id: unknown }[];
  return missing(
    acknowledged,
    rows.map((row) => Number(row.id)),
  ).length;
}

/** Through whichever node writes by then. */
async function remove(connection: Connection): Promise<void> {
  for (let i = 0; i < 20; i++) {
    try {
      await query(connection, `DROP TABLE IF EXISTS ${table}`, 2_000);
      return;
    } catch {
      await systemClock.sleep(250);
    }
  }
  throw failed("drill.left", `the table ${connection.database}.${table} could not be removed`);
}

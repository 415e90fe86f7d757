import * as v from "valibot";
import { callAgent } from "../../agent/socket.ts";
import type { Status } from "../../agent/status.ts";
import { systemClock } from "../../core/clock.ts";
import { failed, refused, toChimeError, usageError } from "../../core/errors.ts";
import { withLock } from "../../core/lock.ts";
import type { RoleContext } from "../../roles/types.ts";
import { connectionTo } from "../connection.ts";
import { readContext } from "../context.ts";
import type { Io } from "../io.ts";
import { requireRoleNames } from "../role-names.ts";
import { query, type Connection } from "./database.ts";
import { liveKinds, liveStage, missingByNode, obstacle, type LiveKind } from "./live.ts";
import { drillLine, drillReport, type DrillReport } from "./report.ts";
import { rehearse, type Round } from "./run.ts";
import { DrillWriter, impatient } from "./writer.ts";

/** What the lab rehearses beyond that cannot be undone from here: power and cables are not ours. */
export const drillKinds = ["kill", "power", "hang", "cut", "switchover"] as const;

/** The drill's own; a table of that name that is there belongs to a drill that was killed. */
const table = "chime_drill";

/** Some hundred commits a second: enough to see an outage to 5 ms, and no burden. */
const load = { connections: 2, pauseMs: 5 };

interface DrillOptions {
  role: string;
  kinds: readonly (typeof drillKinds)[number][];
  rounds: number;
  /** The cluster's name, which proves that it is meant; else it is asked for. */
  cluster: string | undefined;
}

interface Deps extends Io {
  /** A line from the operator; undefined where nobody can be asked. */
  readonly ask: (question: string) => Promise<string | undefined>;
}

/**
 * Rehearses failures on the cluster that serves: writes through the VIP, breaks what comes back by itself, and compares
 * what was acknowledged with what each node holds. Its table is gone afterwards.
 * @throws ChimeError `drill.not_undoable`, `drill.wrong_cluster`, `drill.not_level`, `drill.running` (exit 3);
 *   `drill.needs_name`, `usage.unknown_role` (exit 2)
 */
export async function drill(options: DrillOptions, io: Deps): Promise<DrillReport> {
  requireRoleNames([options.role]);
  const kinds = options.kinds.map(undoable);
  const { context } = await readContext();
  await confirmName(context.cluster.name, options, io);
  return withLock("drill", "drill", async () => {
    const why = obstacle(await callAgent<Status>("status", {}, { signal: io.signal }), options.role);
    if (why !== undefined) {
      throw refused("drill.not_level", `the pair cannot stand a failure now: ${why}`, "chime-node status");
    }
    return perform(context, options.role, Array.from({ length: options.rounds }, () => kinds).flat(), io);
  });
}

function undoable(kind: (typeof drillKinds)[number]): LiveKind {
  const found = liveKinds.find((live) => live === kind);
  if (found) return found;
  throw refused(
    "drill.not_undoable",
    `on a cluster that serves a drill does only what ends by itself (${liveKinds.join(", ")}), not ${kind}`,
    "scripts/bench drills rehearses the others on nodes of its own",
  );
}

async function confirmName(name: string, { cluster }: DrillOptions, io: Deps): Promise<void> {
  const question = `This breaks the writer of ${name} on purpose; writes pause for a moment each time. The cluster's name`;
  const given = cluster ?? (await io.ask(question));
  if (given === undefined) {
    throw usageError(
      "drill.needs_name",
      "a drill breaks a cluster that serves, and there is no terminal to ask for its name",
      `run the same command with --cluster=${name}`,
    );
  }
  if (given !== name) {
    throw refused(
      "drill.wrong_cluster",
      `this node is in ${name}, not in ${given || "a cluster without a name"}`,
    );
  }
}

async function perform(
  context: RoleContext,
  role: string,
  kinds: LiveKind[],
  io: Deps,
): Promise<DrillReport> {
  const connection = connectionOf(context, role);
  await clear(connection);
  const writer = new DrillWriter({ ...connection, ...impatient, ...load, table });
  const rounds: Round[] = [];
  try {
    await writer.prepare();
    writer.start();
    await firstRow(writer, io.signal);
    await rehearse(liveStage(role, writer, io.signal), kinds, {
      signal: io.signal,
      before: (kind, nth) => io.progress(`drill ${nth} of ${kinds.length}: ${kind}`),
      told(round) {
        rounds.push(round);
        io.note(
          `${round.kind} of ${round.victim}: ${Math.round(round.outage.ms)} ms without an acknowledged write`,
        );
      },
    });
    await writer.stop();
    io.progress("comparing what was acknowledged with what each node holds");
    const missing = await missingByNode(context, role, writer);
    const cluster = context.cluster.name;
    const report = drillReport({ cluster, role, rounds, acknowledged: writer.acknowledged.length, missing });
    await callAgent("drill.over", { role, message: drillLine(report) });
    return report;
  } catch (error) {
    const { message } = toChimeError(error);
    const over = `ended after ${rounds.length} of ${kinds.length} faults: ${message}`.slice(0, 400);
    await callAgent("drill.over", { role, message: over }).catch(() => undefined);
    throw error;
  } finally {
    await writer.stop();
    await remove(connection, io);
  }
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

const firstRowMs = 10_000;

async function firstRow(writer: DrillWriter, signal: AbortSignal): Promise<void> {
  const giveUp = systemClock.now() + firstRowMs;
  while (writer.acknowledged.length === 0) {
    if (systemClock.now() > giveUp) {
      throw failed("drill.no_writes", `no write through the VIP ${writer.settings.host} is acknowledged`, {
        remedy: "chime-node status; is the VIP reached from this node?",
      });
    }
    await systemClock.sleep(20, signal);
  }
}

/** Through whichever node writes by then; what stays, because none does, goes with the next drill. */
async function remove(connection: Connection, io: Deps): Promise<void> {
  for (let i = 0; i < 20; i++) {
    try {
      await query(connection, `DROP TABLE IF EXISTS ${table}`, 2_000);
      return;
    } catch {
      await systemClock.sleep(250);
    }
  }
  io.warn(`the table ${connection.database}.${table} could not be removed: the next drill does`);
}

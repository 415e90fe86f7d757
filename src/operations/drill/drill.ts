import { callAgent } from "../../agent/socket.ts";
import type { Status } from "../../agent/status.ts";
import { systemClock } from "../../core/clock.ts";
import { failed, refused, toChimeError, usageError } from "../../core/errors.ts";
import { withLock } from "../../core/lock.ts";
import { connectionTo } from "../connection.ts";
import { readContext } from "../context.ts";
import type { Io } from "../io.ts";
import type { RoleContext } from "../../roles/types.ts";
import { requireRoleNames } from "../role-names.ts";
import { liveKinds, liveStage, serviceOf, standsNot, type LiveKind, type Service } from "./live.ts";
import type { Load } from "./load.ts";
import { objectLoad } from "./object-load.ts";
import { pointLoad } from "./point-load.ts";
import { drillLine, drillReport, type DrillReport } from "./report.ts";
import { rowLoad } from "./row-load.ts";
import { rehearse, type Round } from "./run.ts";

/** What the lab rehearses beyond that cannot be undone from here: power and cables are not ours. */
export const drillKinds = ["kill", "switchover", "disk-pulled", "disk-full", "power", "hang", "cut"] as const;

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
 * Rehearses failures on the cluster that serves: clients change things through the VIP, what comes back by itself is
 * broken, and what was acknowledged is compared with what each node holds. Nothing of it is left.
 * @throws ChimeError `secrets.not_here`, `drill.not_served`, `drill.not_undoable`, `drill.wrong_cluster`,
 *   `drill.not_level`, `drill.running` (exit 3); `drill.needs_name`, `usage.unknown_role` (exit 2)
 */
export async function drill(options: DrillOptions, io: Deps): Promise<DrillReport> {
  const { role } = options;
  requireRoleNames([role]);
  const { context } = await readContext();
  const { name } = context.cluster;
  const status = await callAgent<Status>("status", {}, { signal: io.signal });
  if (!status.roles[role]) {
    throw refused(
      "drill.not_served",
      `there is nothing of ${role} in ${name} that a drill could break`,
      "chime-node status shows what it serves",
    );
  }
  // Its clients are an application's.
  connectionTo(context, role);
  const service = serviceOf(status, role);
  const kinds = options.kinds.map((kind) => undoable(kind, service));
  await confirmName(name, options, io);
  return withLock("drill", "drill", async () => {
    // Whoever was asked may have taken a while.
    const now = await callAgent<Status>("status", {}, { signal: io.signal });
    const why = standsNot(now, role, kinds);
    if (why !== undefined) {
      throw refused("drill.not_level", `${role} cannot stand a failure now: ${why}`, "chime-node status");
    }
    const load = loadOf(service, role, context);
    const all = Array.from({ length: options.rounds }, () => kinds).flat();
    return perform({ cluster: name, role, kinds: all, load }, io);
  });
}

function loadOf(service: Service, role: string, context: RoleContext): Load {
  if (service === "pair") return rowLoad(context, role);
  return service === "store" ? objectLoad(context) : pointLoad(context);
}

function undoable(kind: (typeof drillKinds)[number], service: Service): LiveKind {
  const possible: readonly LiveKind[] = liveKinds[service];
  const found = possible.find((live) => live === kind);
  if (found) return found;
  throw refused(
    "drill.not_undoable",
    `on a cluster that serves a drill of ${service === "twins" ? "twins" : `a ${service}`} does only what ends by itself (${possible.join(", ")}), not ${kind}`,
    `scripts/bench ${benches[service]} rehearses others on nodes of its own; of these nodes: pull their plugs and cables`,
  );
}

const benches = { pair: "drills", store: "minio", twins: "influxdb" } as const satisfies Record<
  Service,
  string
>;

async function confirmName(name: string, { role, cluster }: DrillOptions, io: Deps): Promise<void> {
  const question = `This breaks ${role} of ${name} on purpose; clients may wait for a moment each time. The cluster's name`;
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

interface Rehearsal {
  cluster: string;
  role: string;
  kinds: readonly LiveKind[];
  load: Load;
}

async function perform({ cluster, role, kinds, load }: Rehearsal, io: Deps): Promise<DrillReport> {
  const { clients, what } = load;
  await load.prepare();
  const rounds: Round[] = [];
  try {
    clients.start();
    await firstAcknowledged(load, io.signal);
    await rehearse(liveStage(role, kinds, clients, io), kinds, {
      signal: io.signal,
      before: (kind, nth) => io.progress(`drill ${nth} of ${kinds.length}: ${kind}`),
      told(round) {
        rounds.push(round);
        io.note(
          `${round.kind} of ${round.victim}: ${Math.round(round.outage.ms)} ms without ${what === "points" ? "an answered read" : "an acknowledged change"}`,
        );
      },
    });
    await clients.stop();
    io.progress("comparing what was acknowledged with what each node holds");
    const compared = await load.compare();
    const acknowledged = clients.acknowledged.length;
    const report = drillReport({ cluster, role, what, rounds, acknowledged, ...compared });
    await callAgent("drill.over", { role, message: drillLine(report) });
    return report;
  } catch (error) {
    const { message } = toChimeError(error);
    const over = `ended after ${rounds.length} of ${kinds.length} faults: ${message}`.slice(0, 400);
    await callAgent("drill.over", { role, message: over }).catch(() => undefined);
    throw error;
  } finally {
    await clients.stop();
    await load.remove().catch((error: unknown) => {
      io.warn(`${toChimeError(error).message}: the next drill removes what this one left`);
    });
  }
}

const firstMs = 10_000;

async function firstAcknowledged({ clients }: Load, signal: AbortSignal): Promise<void> {
  const giveUp = systemClock.now() + firstMs;
  while (clients.acknowledged.length === 0) {
    if (systemClock.now() > giveUp) {
      throw failed("drill.no_writes", "no change through the VIP is acknowledged", {
        remedy: "chime-node status; is the VIP reached from this node?",
      });
    }
    await systemClock.sleep(20, signal);
  }
}

import { callAgent } from "../../agent/socket.ts";
import { pairsOf, type Status } from "../../agent/status.ts";
import { systemClock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import type { RoleContext } from "../../roles/types.ts";
import { query, type Connection } from "./database.ts";
import type { Stage } from "./run.ts";
import { missing, type DrillWriter } from "./writer.ts";

/** What a drill may do to a cluster that serves: each of it ends by itself. */
export const liveKinds = ["kill", "switchover"] as const;
export type LiveKind = (typeof liveKinds)[number];

/** From the call until the fault is done, another node's agent and systemd included. */
const strikeMs = 1_000;
const levelMs = 120_000;
const switchoverMs = 60_000;

/** The cluster that this node is a member of. */
export function liveStage(role: string, writer: DrillWriter, signal: AbortSignal): Stage<LiveKind> {
  return {
    async strike(kind) {
      const now = await callAgent<Status>("status", {}, { signal });
      const [victim = ""] = pairsOf(now).get(role)?.writable ?? [];
      // Before: the other node's clock is not this one's.
      const at = systemClock.wall();
      if (kind === "kill") await callAgent("drill.kill", { role, node: victim }, { signal });
      else await callAgent("switchover", {}, { signal, timeoutMs: switchoverMs });
      return { victim, at, settleMs: Math.max(strikeMs, systemClock.wall() - at) };
    },
    untilLevel: () => untilLevel(role, levelMs, signal),
    acknowledged: () => Promise.resolve(writer.acknowledged),
  };
}

/** Waits for a pair that can stand a fault. @throws ChimeError `drill.not_level` after `ms` */
async function untilLevel(role: string, ms: number, signal: AbortSignal): Promise<void> {
  const giveUp = systemClock.now() + ms;
  for (;;) {
    const why = obstacle(await callAgent<Status>("status", {}, { signal }), role);
    if (why === undefined) return;
    if (systemClock.now() > giveUp) {
      throw failed("drill.not_level", `the pair cannot stand a failure: ${why}`, "chime-node status");
    }
    await systemClock.sleep(100, signal);
  }
}

/** Why a fault would be an outage now; undefined: the other node can take over at once. */
export function obstacle(status: Status, role: string): string | undefined {
  const found = pairsOf(status).get(role);
  if (!found) return `no node serves ${role}`;
  const problem = status.problems.find(
    ({ severity, code }) => severity === "error" || code === "maintenance",
  );
  if (problem) return problem.message;
  if (found.writable.length !== 1) return `${found.writable.join(" and ") || "no node"} writes`;
  if (!found.nodes.some((node) => node.state === "writer" && node.protected)) {
    return "commits are on one node only";
  }
  return found.nodes.some((node) => node.state === "replica" && node.replicating)
    ? undefined
    : "no node replicates";
}

/** A replica applies what was acknowledged a moment ago within milliseconds. */
const arriveMs = 10_000;
const lookMs = 100;

/** By node: how many acknowledged rows its own server does not hold; null where it cannot be asked. */
export async function missingByNode(
  context: RoleContext,
  role: string,
  writer: DrillWriter,
): Promise<Record<string, number | null>> {
  const nodes = context.members.filter((member) => member.roles.includes(role));
  const counts = nodes.map(async ({ name, address }) => {
    const giveUp = systemClock.now() + arriveMs;
    let count: number | null = null;
    while (systemClock.now() < giveUp) {
      count = await missingOn({ ...writer.settings, host: address }, writer).catch(() => null);
      if (count === 0) break;
      await systemClock.sleep(lookMs);
    }
    return [name, count] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

async function missingOn(connection: Connection, { settings, acknowledged }: DrillWriter): Promise<number> {
  const rows = (await query(connection, `SELECT id FROM ${settings.table}`, 30_000)) as { id: unknown }[];
  return missing(
    acknowledged,
    rows.map((row) => Number(row.id)),
  ).length;
}

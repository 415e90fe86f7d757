import { requireWord } from "../agent/failover.ts";
import type { FailoverReport, FailoverResult } from "../roles/failover-report.ts";
import { callAgent } from "../agent/socket.ts";
import { refused } from "../core/errors.ts";
import { requireIdentity, requireRoot } from "./context.ts";
import type { Io } from "./io.ts";

export interface FailoverOptions {
  to: string;
  /** The cluster's name: the operator accepts what may be lost. */
  acceptLoss: string | undefined;
  dryRun: boolean;
}

export interface FailoverAnswer {
  dry_run: boolean;
  failovers: (FailoverReport | FailoverResult)[];
}

const assessMs = 15_000;
const failoverMs = 130_000;

/**
 * Makes a node the writer; where no vote can, by the operator's word alone.
 * @throws ChimeError `failover.wrong_cluster`, `failover.needs_word` (exit 3, nothing touched), and of the agents
 */
export async function failOverTo(
  { to, acceptLoss, dryRun }: FailoverOptions,
  io: Io,
): Promise<FailoverAnswer> {
  requireRoot();
  const { cluster } = await requireIdentity();
  const word = acceptLoss ?? null;
  requireWord(cluster, word);
  io.progress(`asking every voter whose record is the newest`);
  const reports = await callAgent<FailoverReport[]>(
    "failover.assess",
    { to },
    { signal: io.signal, timeoutMs: assessMs },
  );
  if (dryRun) return { dry_run: true, failovers: reports };
  const need = reports.filter(({ way }) => way === "word");
  if (need.length > 0 && word === null) {
    throw refused("failover.needs_word", need.flatMap(describeFailover).join(". "), {
      remedy: `if you accept that: chime-node failover --to ${to} --accept-loss=${cluster.name}`,
    });
  }
  for (const report of need) for (const line of describeFailover(report)) io.warn(line);
  io.progress(`making ${to} the writer`);
  const done = await callAgent<FailoverResult[]>(
    "failover",
    { to, word },
    { signal: io.signal, timeoutMs: failoverMs },
  );
  return { dry_run: false, failovers: done };
}

/** What the operator has to know before: a sentence a line. Pure. */
export function describeFailover({
  role,
  to,
  from,
  way,
  may_lose,
  power_off,
  untold,
}: FailoverReport): string[] {
  if (way === "none") return [`${role}: ${to} is the writer already`];
  if (way === "handover") return [`${role}: ${from} hands over to ${to}; nothing is lost`];
  const loss =
    may_lose.length > 0
      ? `${role}: may be lost: ${may_lose.join("; ")}`
      : `${role}: nothing that a client was told of is lost`;
  const off = power_off.map(
    (node) => `${node} cannot be reached and may still be acknowledging writes: power it off first`,
  );
  const later = untold.map(
    (node) =>
      `${node} has a vote and cannot be told: keep ${from} off until ${node} is back and status shows ${to}`,
  );
  return [loss, ...off, ...later];
}

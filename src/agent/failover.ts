import * as v from "valibot";
import type { Membership, RoleName } from "../cluster/types.ts";
import { refused, usageError } from "../core/errors.ts";
import type { Happening } from "../roles/happening.ts";
import type { FailoverReport, FailoverResult } from "../roles/failover-report.ts";
import type { Guards } from "./guards.ts";
import { refuseInMaintenance } from "./maintenance.ts";
import { pairsOf, type Status } from "./status.ts";

interface Deps {
  membership: Membership;
  guards: Guards;
  cluster: { name: string };
  status: () => Status;
  record: (happening: Happening) => void;
}

/** The node reads every voter's record first. */
const assessMs = 10_000;
/** A handover that fails after all, a writer that is slow to stop, a server that recovers. */
const failoverMs = 120_000;

/**
 * What it would mean that `to` becomes the writer of every single-writer role it has. Asked on any node.
 * @throws ChimeError `failover.no_such_node`, `failover.not_there`, `failover.in_maintenance`
 */
export function assessFailover(deps: Deps, to: string): Promise<FailoverReport[]> {
  const ask = (role: RoleName) => onNode(deps, to, role, "assess", null, assessMs) as Promise<FailoverReport>;
  return Promise.all(rolesOf(deps, to).map(ask));
}

/**
 * Does it. `word` is the cluster's name: the operator accepts the loss that `assessFailover` names.
 * @throws ChimeError `failover.wrong_cluster`, and as above; what the guard says
 */
export async function failOver(deps: Deps, to: string, word: string | null): Promise<FailoverResult[]> {
  const results: FailoverResult[] = [];
  for (const role of rolesOf(deps, to)) {
    const result = (await onNode(deps, to, role, "failover", word, failoverMs)) as FailoverResult;
    if (result.way !== "none") deps.record(turn(result));
    results.push(result);
  }
  return results;
}

/** @throws as above */
function rolesOf({ status, membership }: Deps, to: string): RoleName[] {
  const served = [...pairsOf(status())];
  const found = served.filter(([, { nodes }]) => nodes.some(({ name }) => name === to)).map(([role]) => role);
  if (found.length === 0) {
    const known = [...new Set(served.flatMap(([, { nodes }]) => nodes.map(({ name }) => name)))].join(", ");
    throw usageError(
      "failover.no_such_node",
      `${to} serves no role that has a writer`,
      known === "" ? "chime-node status: no role of this cluster has one" : `--to one of: ${known}`,
    );
  }
  const member = membership.members().find(({ name }) => name === to);
  if (to !== membership.self.name && member?.state !== "alive") {
    throw refused("failover.not_there", `${to} does not answer, so it cannot be made the writer`, {
      remedy: `bring ${to} back, or run this with --to another node`,
    });
  }
  refuseInMaintenance("failover", member);
  return found;
}

const question = v.object({
  role: v.pipe(v.string(), v.maxLength(32)),
  method: v.picklist(["assess", "failover"]),
  word: v.nullable(v.pipe(v.string(), v.maxLength(64))),
});

function onNode(
  deps: Deps,
  node: string,
  role: RoleName,
  method: "assess" | "failover",
  word: string | null,
  ms: number,
): Promise<unknown> {
  const params: v.InferOutput<typeof question> = { role, method, word };
  if (node === deps.membership.self.name) return answerFailover(deps, params, node);
  return deps.membership.call(node, "failover", params, ms);
}

/**
 * The node that is to become the writer does it; asked by its own command line, or by another member with the role.
 * @throws ChimeError `failover.stranger` (exit 3): a witness has a vote, and no word
 */
export async function answerFailover(
  { membership, guards, cluster }: Pick<Deps, "membership" | "guards" | "cluster">,
  params: unknown,
  from: string,
): Promise<unknown> {
  const { role, method, word } = v.parse(question, params);
  const asker = membership.members().find(({ name }) => name === from);
  if (!asker?.roles.includes(role)) {
    throw refused("failover.stranger", `${from} has no part in ${role}`, {
      remedy: `run the same command on ${membership.self.name}`,
    });
  }
  requireWord(cluster, word);
  return guards.need(role).command(method, { word: word !== null });
}

/** @throws ChimeError `failover.wrong_cluster` (exit 3) */
export function requireWord(cluster: { name: string }, word: string | null): void {
  if (word === null || word === cluster.name) return;
  throw refused("failover.wrong_cluster", `this is the cluster ${cluster.name}, not ${word}`, {
    remedy: `if you mean it: --accept-loss=${cluster.name}`,
  });
}

function turn({ role, to, from, way, may_lose, power_off, lost, seconds }: FailoverResult): Happening {
  if (way === "handover") {
    return { kind: "switchover", role, message: `from ${from} to ${to}, which was in sync`, seconds };
  }
  const unreached = power_off.length > 0 ? `, ${power_off.join(" and ")} out of reach` : "";
  const loss =
    lost === null
      ? `may be lost: ${may_lose.join("; ") || "nothing"}`
      : `lost: ${lost.join(", ") || "nothing"}`;
  return {
    kind: "failover",
    role,
    message: `${to} writes in place of ${from}, by an operator's word${unreached}; ${loss}`,
    seconds,
  };
}

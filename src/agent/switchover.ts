import * as v from "valibot";
import type { Membership, RoleName } from "../cluster/types.ts";
import { systemClock } from "../core/clock.ts";
import { failed, refused, usageError } from "../core/errors.ts";
import type { Happening } from "../roles/happening.ts";
import type { Guards } from "./guards.ts";
import { refuseInMaintenance } from "./maintenance.ts";
import { pairsOf, type Status } from "./status.ts";

/** One role whose writer moved. */
export interface Move {
  role: RoleName;
  from: string;
  to: string;
  seconds: number;
}

interface Deps {
  membership: Membership;
  guards: Guards;
  status: () => Status;
  record: (happening: Happening) => void;
}

/** A handover takes a third of a second; a replica that is still applying what it received may take longer. */
const handoverMs = 35_000;

/**
 * Moves the writer of every single-writer role away from where it is, or to the given node. Asked on any node; the
 * writer's own agent does it.
 * @throws ChimeError `switchover.no_pair` (exit 3), `switchover.no_writer`, `switchover.no_replica`, `switchover.no_such_node`,
 *   `switchover.in_maintenance`, and what the guard says
 */
export async function switchOver(deps: Deps, to: string | undefined): Promise<Move[]> {
  const moves: Move[] = [];
  const pairs = [...pairsOf(deps.status())];
  if (pairs.length === 0) {
    throw refused("switchover.no_pair", "no role of this cluster has one writer that could move", {
      remedy: "chime-node status shows what it serves",
    });
  }
  for (const [role, { writable, nodes }] of pairs) {
    const [from] = writable;
    if (from === undefined) {
      throw failed(
        "switchover.no_writer",
        `no node accepts writes for ${role}`,
        "chime-node status says why",
      );
    }
    const others = nodes.map((node) => node.name).filter((name) => name !== from);
    if (to === from) continue;
    const heir = to ?? others[0];
    if (heir === undefined) {
      throw failed(
        "switchover.no_replica",
        `${role} runs on ${from} alone`,
        `chime-node join --role ${role} on another node`,
      );
    }
    if (!others.includes(heir)) {
      const known = nodes.map((node) => node.name).join(", ");
      throw usageError("switchover.no_such_node", `${heir} does not serve ${role}`, `--to one of: ${known}`);
    }
    refuseInMaintenance(
      "switchover",
      deps.membership.members().find(({ name }) => name === heir),
    );
    const started = systemClock.now();
    await handOver(deps, from, role);
    const seconds = Math.round(systemClock.now() - started) / 1000;
    moves.push({ role, from, to: heir, seconds });
    deps.record({ kind: "switchover", role, message: `from ${from} to ${heir}, as planned work`, seconds });
  }
  return moves;
}

function handOver({ membership, guards }: Deps, writer: string, role: RoleName): Promise<unknown> {
  if (writer === membership.self.name) return guards.need(role).command("handover", {});
  return membership.call(writer, "handover", { role }, handoverMs);
}

/** What another member's agent asks of this node's. */
export function answerHandover(guards: Guards, params: unknown): Promise<unknown> {
  const { role } = v.parse(v.object({ role: v.pipe(v.string(), v.maxLength(32)) }), params);
  return guards.need(role).command("handover", {});
}

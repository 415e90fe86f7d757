import { agentUnit } from "../agent/resources.ts";
import { readFacts } from "../host/facts.ts";
import { showUnit } from "../host/systemd.ts";
import { roles } from "../roles/index.ts";
import { closeGates } from "../vip/track.ts";
import { requireRoot } from "./context.ts";
import type { Io } from "./io.ts";

/**
 * What systemd runs once it starts the agent no more (OnFailure): nobody watches this node's services from now on, so the
 * VIPs go to the other nodes, and what accepts writes here stops. Rests on nothing that may have kept the agent from
 * starting: neither the cluster's state nor its spec.
 */
export async function standInForAgent(io: Io): Promise<void> {
  requireRoot();
  const { active } = await showUnit(agentUnit);
  if (active !== "failed") {
    io.note(`${agentUnit} is ${active}: nothing to do`);
    return;
  }
  const closed = closeGates();
  io.warn(
    `systemd has given up on ${agentUnit}: this node gives up its VIPs (${closed.join(", ") || "none"})`,
  );
  const { os } = await readFacts();
  for (const role of roles) await role.abandon?.(os);
  io.note(`when its cause is mended: systemctl reset-failed ${agentUnit} && systemctl start ${agentUnit}`);
}

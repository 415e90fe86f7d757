import { agentUnit } from "../agent/resources.ts";
import { letAllThrough } from "../host/cut-off.ts";
import { readFacts } from "../host/facts.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { showUnit, type UnitState } from "../host/systemd.ts";
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
  const active = await untilSettled(() => showUnit(agentUnit), systemClock);
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
  await letAllThrough();
  io.note(`when its cause is mended: systemctl reset-failed ${agentUnit} && systemctl start ${agentUnit}`);
}

const lookMs = 200;
/** After so long an agent has set systemd's count of failed starts back (`soundMs` of the agent). */
const settledMs = 3_000;

/**
 * Waits while the agent may still be given up: until it has failed, was stopped, or runs for a while. systemd 254 and
 * newer run `OnFailure=` after each failure, also one after which they try again (systemd.service(5), RestartMode=), and
 * what is to be run while it runs is not run once more.
 * @returns the unit's last state
 */
export async function untilSettled(
  show: () => Promise<Pick<UnitState, "active" | "invocation">>,
  clock: Clock,
): Promise<string> {
  let running = "";
  let since = clock.now();
  for (;;) {
    const { active, invocation } = await show();
    if (active === "failed" || active === "inactive") return active;
    if (active !== "active" || invocation !== running) since = clock.now();
    else if (clock.now() - since >= settledMs) return active;
    running = active === "active" ? invocation : "";
    await clock.sleep(lookMs);
  }
}

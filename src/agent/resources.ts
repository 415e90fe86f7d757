import gaveUpText from "../../assets/chime-node-gave-up.service" with { type: "text" };
import unitText from "../../assets/chime-node.service" with { type: "text" };
import { file } from "../resources/file.ts";
import { service, unitCheck } from "../resources/service.ts";
import type { Resource } from "../resources/types.ts";

export const agentUnit = "chime-node.service";
const unitPath = `/etc/systemd/system/${agentUnit}`;
const gaveUpPath = "/etc/systemd/system/chime-node-gave-up.service";

/** The agent itself, kept running by systemd. The same on every member. */
export function agentResources(): Resource[] {
  // Checked with the agent's unit, which names it.
  const gaveUp = file({ path: gaveUpPath, content: gaveUpText });
  const unit = file({ path: unitPath, content: unitText, check: unitCheck, needs: [gaveUp.id] });
  return [
    gaveUp,
    unit,
    // An agent's restart touches neither service nor VIP, so nobody needs to be asked.
    service({ unit: agentUnit, restartOn: [unit], restartImpact: "none" }),
  ];
}

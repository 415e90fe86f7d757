import unitText from "../../assets/chime-node.service" with { type: "text" };
import { file } from "../resources/file.ts";
import { service, unitCheck } from "../resources/service.ts";
import type { Resource } from "../resources/types.ts";

export const agentUnit = "chime-node.service";
const unitPath = `/etc/systemd/system/${agentUnit}`;

/** The agent itself, kept running by systemd. The same on every member. */
export function agentResources(): Resource[] {
  const unit = file({ path: unitPath, content: unitText, check: unitCheck });
  return [
    unit,
    // An agent's restart touches neither service nor VIP, so nobody needs to be asked.
    service({ unit: agentUnit, restartOn: [unit], restartImpact: "none" }),
  ];
}

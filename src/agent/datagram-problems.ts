import type { PacketTrouble } from "../cluster/transport.ts";
import { agentPort } from "../core/paths.ts";
import type { Problem } from "../roles/guard.ts";

const meanwhile = "until it is mended, who is alive and what changed is known later there";

/** That gossip goes by TCP on this node: why, as far as it can tell, and what to do about that. */
export function datagramProblems(node: string, trouble: PacketTrouble | undefined): Problem[] {
  if (!trouble) return [];
  return [{ code: "member.udp_blocked", severity: "warning", node, ...words(node, trouble) }];
}

function words(node: string, trouble: PacketTrouble): Pick<Problem, "message" | "remedy"> {
  if (trouble.what === "port" && trouble.why === "EADDRINUSE") {
    return {
      message: `another program has UDP port ${agentPort} of ${node}: ${meanwhile}`,
      remedy: `ss -lunp 'sport = :${agentPort}' on ${node} shows which: stop it. The agent tries again by itself`,
    };
  }
  if (trouble.what === "port") {
    return {
      message: `UDP port ${agentPort} of ${node} cannot be opened (${trouble.why}): ${meanwhile}`,
      remedy: `journalctl -u chime-node on ${node}; the agent tries again by itself`,
    };
  }
  if (trouble.what === "inward") {
    return {
      message: `no datagram of the other members comes in at ${node}, while TCP does: ${meanwhile}`,
      remedy: `let UDP port ${agentPort} in on ${node}, out on the others, and pass in the network, as TCP port ${agentPort}`,
    };
  }
  return {
    message: `datagrams come in at ${node}, and none that it sends is answered, while TCP is: ${meanwhile}`,
    remedy: `let UDP port ${agentPort} out on ${node}, in on the others, and pass in the network, as TCP port ${agentPort}`,
  };
}

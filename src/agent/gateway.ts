import { gatewayAnswers } from "../host/gateway.ts";
import type { RoleContext } from "../roles/types.ts";

/**
 * Whether the default gateway of the network that the nodes share answers; one behind another interface says nothing
 * of that network, and a peer that routes is still the peer.
 */
export async function askGateway({ self, members, facts }: RoleContext, timeoutMs: number): Promise<boolean> {
  const shared = facts.interfaces.find(({ addresses }) =>
    addresses.some(({ address }) => address === self.address),
  );
  const nodes = members.map(({ address }) => address);
  return shared !== undefined && gatewayAnswers(shared.name, nodes, timeoutMs);
}

import { refused, usageError } from "../core/errors.ts";
import type { Facts } from "../host/facts.ts";
import { inSubnet } from "../host/ipv4.ts";
import type { RoleContext, VipRequest } from "../roles/types.ts";
import { trackFile } from "./track.ts";
import { virtualRouterId } from "./vrid.ts";

/** One VRRP instance on this node: everything the keepalived configuration says of it. */
export interface VipInstance {
  /** The role's name; what keepalived writes into the notify FIFO. */
  name: string;
  virtualRouterId: number;
  priority: number;
  /** Where the address lives. */
  interface: string;
  /** `ADDRESS/PREFIX` */
  address: string;
  /** This node's own address, the adverts' source. */
  source: string;
  /** The other nodes' addresses; none while this node is alone. */
  peers: readonly string[];
  trackFile: string;
}

/**
 * The instances of this node: pure, so that both nodes derive the same ids and never the same priority.
 * @throws ChimeError `vip.subnet` where no interface can carry an address, `vip.vrid-clash`
 */
export function vipInstances(context: RoleContext, requests: readonly VipRequest[]): VipInstance[] {
  const { spec, cluster, self, facts } = context;
  const instances = requests.map((request) => {
    const isHome = ({ name }: { name: string }) => Number(name === request.home);
    const nodes = request.nodes.toSorted((a, b) => isHome(b) - isHome(a) || a.index - b.index);
    const carrier = vipInterface(facts, request.address, spec.cluster.interface);
    if (carrier === undefined) throw noInterface(request);
    return {
      name: request.name,
      virtualRouterId: virtualRouterId(cluster.id, request.name, spec.cluster.vridBase),
      priority: priorityOf(nodes.findIndex((node) => node.name === self.name)),
      interface: carrier,
      address: request.address.includes("/") ? request.address : `${request.address}/32`,
      source: self.address,
      peers: nodes.filter((node) => node.name !== self.name).map((node) => node.address),
      trackFile: trackFile(request.name),
    };
  });
  refuseClash(instances);
  return instances;
}

/**
 * The interface for a VIP: the configured one, else the one whose subnet holds the address.
 * Undefined when there is none.
 */
export function vipInterface(
  facts: Pick<Facts, "interfaces">,
  address: string,
  configured: string,
): string | undefined {
  const [ip = ""] = address.split("/");
  return facts.interfaces.find(
    (candidate) =>
      (configured === "auto" || candidate.name === configured) &&
      candidate.addresses.some((own) => own.prefix < 32 && inSubnet(ip, own.address, own.prefix)),
  )?.name;
}

/**
 * 150, 100, then downwards: distinct, and with room between the first two. Never 255: the address owner ignores
 * `nopreempt` (RFC 9568 §6.1).
 */
function priorityOf(rank: number): number {
  return rank === 0 ? 150 : Math.max(1, 110 - 10 * rank);
}

function noInterface(request: VipRequest): Error {
  return usageError(
    "vip.subnet",
    `the VIP ${request.address} of ${request.name} is in the subnet of no interface of this node`,
    `give ${request.name} an address of a subnet that all its nodes share`,
  );
}

function refuseClash(instances: readonly VipInstance[]): void {
  for (const [i, a] of instances.entries()) {
    const b = instances.slice(i + 1).find((other) => other.virtualRouterId === a.virtualRouterId);
    if (b) {
      throw refused(
        "vip.vrid-clash",
        `the VIPs ${a.name} and ${b.name} derive the same virtual router id ${a.virtualRouterId}`,
      );
    }
  }
}

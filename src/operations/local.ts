import { nodeName } from "../cluster/schema.ts";
import type { Member, RoleName } from "../cluster/types.ts";
import { usageError } from "../core/errors.ts";
import type { Facts } from "../host/facts.ts";
import { inSubnet } from "../host/ipv4.ts";
import type { RoleContext } from "../roles/types.ts";
import type { Spec } from "../spec/types.ts";
import * as v from "valibot";

/**
 * The name of a node that is in no cluster yet: the given one, else the host's.
 * @throws ChimeError `node.bad_name`
 */
export function chooseName(given: string | undefined, facts: Pick<Facts, "hostname">): string {
  const name = given ?? facts.hostname.split(".")[0]?.toLowerCase() ?? "";
  if (v.is(nodeName, name) && name !== "localhost") return name;
  throw usageError(
    "node.bad_name",
    `"${name}" cannot be a node's name: letters, digits and dashes, at most 63, not localhost`,
    "give one with --name, e.g. --name node1",
  );
}

/**
 * The address under which the others find this node: the given one, else the one in a VIP's subnet, else the one
 * of the default route's interface.
 * @throws ChimeError `node.bad_address`, `node.no_address`
 */
export function chooseAddress(
  given: string | undefined,
  facts: Pick<Facts, "interfaces" | "defaultRoute">,
  vips: readonly string[] = [],
): string {
  const all = facts.interfaces.flatMap(({ name, addresses }) => addresses.map((own) => ({ name, ...own })));
  const list = all.map((own) => `${own.address} (${own.name})`).join(", ") || "none";
  if (given !== undefined) {
    if (all.some((own) => own.address === given)) return given;
    throw usageError(
      "node.bad_address",
      `${given} is no address of this node; it has ${list}`,
      "--address with one of them",
    );
  }
  // A /32 is a VIP that some service holds, never the node's own.
  const own = all.filter((candidate) => candidate.prefix < 32);
  const near = own.find((candidate) =>
    vips.some((vip) => inSubnet(vip, candidate.address, candidate.prefix)),
  );
  const routed = own.find((candidate) => candidate.name === facts.defaultRoute?.interface);
  const chosen = near ?? routed ?? (own.length === 1 ? own[0] : undefined);
  if (chosen) return chosen.address;
  if (all.length === 0) {
    throw usageError("node.no_address", "this node has no IPv4 address", "bring its network up: ip address");
  }
  throw usageError(
    "node.no_address",
    `cannot tell which address of this node to use: ${list}`,
    "give it with --address",
  );
}

/** The role context of a node that is not in a cluster yet, for its checks. */
export function provisionalContext(input: {
  spec: Spec;
  /** Empty id: no cluster is known yet. */
  cluster: { name: string; id: string };
  name: string;
  address: string;
  roles: readonly RoleName[];
  facts: Facts;
}): RoleContext {
  const { spec, cluster, name, address, roles, facts } = input;
  const self: Member = {
    name,
    index: 1,
    address,
    roles,
    phase: {},
    roleState: {},
    facts: null,
    binaryVersion: "",
    protocol: 0,
    left: false,
    incarnation: 0,
    version: 0,
  };
  return { spec, cluster, self, members: [self], facts, secrets: {} };
}

import type { Member } from "../../src/cluster/types.ts";
import type { Facts } from "../../src/host/facts.ts";
import type { RoleContext } from "../../src/roles/types.ts";
import { sampleFacts, sampleMember } from "../samples.ts";

export function member(name: string, index: number, address: string): Member {
  return sampleMember({ name, index, address, roles: ["mysql"] });
}

export const node1: Member = member("node1", 1, "10.0.0.11");
export const node2: Member = member("node2", 2, "10.0.0.12");

export const facts: Facts = {
  ...sampleFacts,
  interfaces: [
    { name: "mgmt0", addresses: [{ address: "172.16.0.5", prefix: 24 }] },
    {
      name: "eth0",
      addresses: [
        { address: "10.0.0.11", prefix: 24 },
        { address: "10.0.0.31", prefix: 32 },
      ],
    },
  ],
  defaultRoute: null,
};

export function context(overrides: Partial<RoleContext> = {}): RoleContext {
  return {
    spec: {
      cluster: { name: "chime", domain: "chime.com", interface: "auto", packages: "os" },
      failover: { policy: "available" },
      roles: {},
    },
    cluster: { name: "chime", id: "c0ffee" },
    self: node1,
    members: [node1, node2],
    facts,
    secrets: {},
    ...overrides,
  };
}

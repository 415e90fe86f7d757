import type { Member } from "../../src/cluster/types.ts";
import type { Facts } from "../../src/host/facts.ts";
import type { RoleContext } from "../../src/roles/types.ts";

export function member(name: string, index: number, address: string): Member {
  return {
    name,
    index,
    address,
    roles: ["mysql"],
    phase: {},
    roleState: {},
    facts: null,
    binaryVersion: "0.1.0",
    protocol: 1,
    left: false,
    incarnation: 1,
    version: 1,
  };
}

export const node1: Member = member("node1", 1, "10.0.0.11");
export const node2: Member = member("node2", 2, "10.0.0.12");

export const facts: Facts = {
  hostname: "node1",
  os: {
    id: "debian",
    versionId: "12",
    codename: "bookworm",
    family: "debian",
    name: "Debian GNU/Linux 12 (bookworm)",
  },
  arch: "x64",
  init: "systemd",
  packageManager: "apt",
  cpus: 2,
  memoryBytes: 2 ** 31,
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
  firewall: "none",
  selinux: "absent",
  clockSynchronized: true,
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

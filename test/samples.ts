import type { Member } from "../src/cluster/types.ts";
import type { Facts } from "../src/host/facts.ts";

/** A machine as most tests need one; each overrides what it is about. */
export const sampleFacts: Facts = {
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
  memoryBytes: 4 * 2 ** 30,
  interfaces: [{ name: "eth0", addresses: [{ address: "10.0.0.11", prefix: 24 }] }],
  defaultRoute: { interface: "eth0", gateway: "10.0.0.1" },
  firewall: "none",
  selinux: "absent",
  clockSynchronized: true,
};

/** A member that has just come and said nothing of itself yet. */
export function sampleMember(own: Pick<Member, "name" | "index" | "address"> & Partial<Member>): Member {
  return {
    roles: [],
    phase: {},
    roleState: {},
    facts: null,
    binaryVersion: "0.1.0",
    protocol: 1,
    left: false,
    incarnation: 1,
    version: 1,
    ...own,
  };
}

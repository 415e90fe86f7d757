import type { MemberView } from "../../src/cluster/types.ts";
import type { Role, RoleContext, RoleStatus } from "../../src/roles/types.ts";
import type { Facts } from "../../src/host/facts.ts";
import type { Problem } from "../../src/roles/guard.ts";

/** A member as other nodes see it; tests override what they are about. */
export function member(name: string, over: Partial<MemberView> = {}): MemberView {
  const index = Number(/\d+$/.exec(name)?.[0] ?? 1);
  return {
    name,
    index,
    address: `10.0.0.${10 + index}`,
    roles: ["demo"],
    phase: { demo: "ready" },
    roleState: {},
    facts: null,
    binaryVersion: "0.1.0",
    protocol: 1,
    left: false,
    incarnation: 1,
    version: 1,
    state: "alive",
    silentMs: 0,
    refused: null,
    ...over,
  };
}

const facts: Facts = {
  hostname: "node1",
  os: { id: "debian", versionId: "12", codename: "bookworm", family: "debian", name: "Debian GNU/Linux 12" },
  arch: "x64",
  init: "systemd",
  packageManager: "apt",
  cpus: 2,
  memoryBytes: 4 << 30,
  interfaces: [{ name: "eth0", addresses: [{ address: "10.0.0.11", prefix: 24 }] }],
  defaultRoute: { interface: "eth0", gateway: "10.0.0.1" },
  firewall: "none",
  selinux: "absent",
  clockSynchronized: true,
};

export function context(members: readonly MemberView[]): RoleContext {
  return {
    spec: {
      cluster: { name: "chime", domain: "chime.com", interface: "auto", packages: "os" },
      roles: {},
    } as RoleContext["spec"],
    cluster: { name: "chime", id: "abc" },
    self: members[0] as MemberView,
    members,
    facts,
    secrets: {},
  };
}

/** A role with one VIP and whatever status a test wants. */
export function demoRole(told: { status: RoleStatus; problems: Problem[] } | undefined): Role {
  return {
    name: "demo",
    status: () => told,
    vip: ({ members }: RoleContext) => ({ name: "demo", address: "10.0.0.30/24", nodes: members }),
  } as unknown as Role;
}

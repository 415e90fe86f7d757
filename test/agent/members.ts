import type { MemberView } from "../../src/cluster/types.ts";
import type { Role, RoleContext, RoleStatus } from "../../src/roles/types.ts";
import type { Problem } from "../../src/roles/guard.ts";
import { sampleFacts, sampleMember } from "../samples.ts";

/** A member as other nodes see it; tests override what they are about. */
export function member(name: string, over: Partial<MemberView> = {}): MemberView {
  const index = Number(/\d+$/.exec(name)?.[0] ?? 1);
  return {
    ...sampleMember({ name, index, address: `10.0.0.${10 + index}` }),
    roles: ["demo"],
    phase: { demo: "ready" },
    state: "alive",
    silentMs: 0,
    refused: null,
    ...over,
  };
}

export function context(members: readonly MemberView[]): RoleContext {
  return {
    spec: {
      cluster: { name: "chime", domain: "chime.com", interface: "auto", packages: "os" },
      roles: {},
    } as RoleContext["spec"],
    cluster: { name: "chime", id: "abc" },
    self: members[0] as MemberView,
    members,
    facts: sampleFacts,
    secrets: {},
  };
}

/** A role with one VIP and whatever status a test wants. */
export function demoRole(told: { status: RoleStatus; problems: Problem[] } | undefined): Role {
  return {
    name: "demo",
    limit: () => ({ max: 2, reason: "two" }),
    status: () => told,
    vip: ({ members }: RoleContext) => ({ name: "demo", address: "10.0.0.30/24", nodes: members }),
  } as unknown as Role;
}

import type { MemberView } from "../cluster/types.ts";
import { isPair, type PairStatus, type Role, type RoleContext, type RoleStatus } from "../roles/types.ts";
import { isPromotion } from "./cluster-history.ts";
import { isGuarded } from "../roles/of-role.ts";
import { byTime, type HistoryEvent } from "./event.ts";
import type { Problem } from "../roles/guard.ts";
import { homeProblems } from "../roles/home.ts";
import { reportOf } from "./report.ts";

/** `chime-node status --json`, fixed by the contract (design.md §5). */
export interface Status {
  cluster: { name: string; id: string };
  self: string;
  spec: { version: number };
  members: {
    name: string;
    address: string;
    roles: readonly string[];
    state: MemberView["state"];
    phase: Readonly<Record<string, string>>;
    version: string;
  }[];
  vips: { role: string; address: string; holders: string[] }[];
  roles: Record<string, RoleStatus & { last_promotion: HistoryEvent | null }>;
  /** The newest turns, oldest first; `chime-node history` tells all. */
  history: HistoryEvent[];
  problems: Problem[];
  healthy: boolean;
}

/** The roles that have one writer, by name. */
export function pairsOf({ roles }: Pick<Status, "roles">): Map<string, PairStatus> {
  return new Map(Object.entries(roles).flatMap(([name, role]) => (isPair(role) ? [[name, role]] : [])));
}

/** More are a question for `chime-node history`. */
const shown = 5;

/** The whole cluster as this node sees it: pure, from the members' own records. */
export function clusterStatus(input: {
  context: RoleContext;
  specVersion: number;
  members: readonly MemberView[];
  roles: readonly Role[];
}): Status {
  const { context, specVersion, members, roles } = input;
  const present = members.filter((member) => member.state !== "left");
  const problems: Problem[] = [];
  const status: Status = {
    cluster: context.cluster,
    self: context.self.name,
    spec: { version: specVersion },
    members: members.map((member) => ({
      name: member.name,
      address: member.address,
      roles: member.roles,
      state: member.state,
      phase: member.phase,
      version: member.binaryVersion,
    })),
    vips: [],
    roles: {},
    history: [],
    problems,
    healthy: true,
  };
  for (const member of present) {
    if (member.state === "dead" || member.state === "suspect") {
      problems.push(silent(member));
      continue;
    }
    problems.push(...reportOf(member).problems);
  }
  const events = byTime(present.flatMap((m) => reportOf(m).events.filter(({ node }) => node === m.name)));
  status.history = events.slice(-shown);
  for (const role of roles) {
    if (!present.some((member) => member.roles.includes(role.name))) continue;
    const vip = role.vip(context);
    if (vip) {
      const holders = present.filter((m) => m.state === "alive" && reportOf(m).vips[role.name]?.holds);
      const [address = ""] = vip.address.split("/");
      status.vips.push({ role: role.name, address, holders: holders.map((m) => m.name) });
      const nodes = present.filter((member) => member.roles.includes(role.name));
      problems.push(...vipProblems(role.name, address, holders, nodes, context.self.name));
      const { spec } = context;
      problems.push(...homeProblems(role.name, { spec, members: present }, role.limit(spec).max));
    }
    const told = role.status(context, members);
    if (told) {
      const promotion = events.findLast((event) => isPromotion(event) && event.role === role.name);
      status.roles[role.name] = { ...told.status, last_promotion: promotion ?? null };
      problems.push(...told.problems);
    }
  }
  status.healthy = !problems.some((problem) => problem.severity === "error");
  return status;
}

function silent(member: MemberView): Problem {
  const dead = member.state === "dead";
  if (dead && member.refused !== null) {
    return {
      code: "member.dead",
      severity: "error",
      node: member.name,
      message: `${member.name} (${member.address}) is up, and refused here: ${member.refused}`,
      remedy:
        "compare the clocks of both machines (timedatectl): once they agree it gets a new certificate by itself",
    };
  }
  return {
    code: dead ? "member.dead" : "member.suspect",
    severity: dead ? "error" : "warning",
    node: member.name,
    message: `${member.name} (${member.address}) has not been heard for ${Math.round(member.silentMs / 1000)} s`,
    remedy: `bring ${member.name} back, or if it is gone for good: chime-node remove ${member.name}`,
  };
}

const who = (members: readonly MemberView[]) => members.map(({ name }) => name).join(" and ");

function vipProblems(
  role: string,
  address: string,
  holders: readonly MemberView[],
  nodes: readonly MemberView[],
  self: string,
): Problem[] {
  if (holders.length === 1) return [];
  if (holders.length > 1) {
    return [
      {
        code: "vip.several",
        severity: "error",
        node: holders.map(({ name }) => name).join(", "),
        message: `${who(holders)} both hold the VIP ${address} of ${role}`,
        remedy: "check the network between the two nodes: VRRP (IP protocol 112) does not get through",
      },
    ];
  }
  const formed = nodes.filter((node) => isGuarded(node.phase[role]));
  const forming = nodes.filter((node) => !formed.includes(node));
  const message = `no node holds the VIP ${address} of ${role}`;
  const join = `wait for chime-node join on ${who(forming)}, or run it there again`;
  const journal = `journalctl -u chime-node -u keepalived on ${who(formed)} says why none is eligible`;
  return [
    {
      code: "vip.nobody",
      severity: "error",
      node: self,
      message:
        forming.length > 0
          ? `${message} yet: ${who(forming)} ${forming.length > 1 ? "are" : "is"} still being set up`
          : message,
      remedy: [...(forming.length > 0 ? [join] : []), ...(formed.length > 0 ? [journal] : [])].join("; "),
    },
  ];
}

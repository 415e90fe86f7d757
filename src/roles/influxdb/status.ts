import { phases, type MemberView } from "../../cluster/types.ts";
import type { Problem } from "../guard.ts";
import type { RoleContext, TwinNodeStatus, TwinStatus } from "../types.ts";
import { nodes, roleName } from "./layout.ts";
import { sinceText } from "./outages.ts";
import { publishedBy, type Published } from "./published.ts";

/** One of the twins, and what it says of itself. */
interface Heard {
  member: MemberView;
  /** What a dead member last said is history. */
  said: Published | null;
}

/** `status.roles.influxdb` and what is wrong with the twins, from what they published. Pure. */
export function influxdbStatus(
  _context: RoleContext,
  members: readonly MemberView[],
): { status: TwinStatus; problems: Problem[] } {
  const present = nodes(members.filter(({ state }) => state !== "left"));
  const heard = present.map((member) => ({
    member,
    said: member.state === "dead" ? null : publishedBy(member),
  }));
  const status: TwinStatus = { topology: "twin", engine: roleName, nodes: heard.map(nodeStatus) };
  // Before one of them is ready, a join is under way.
  const isReady = present.some(({ phase }) => phase[roleName] === "ready");
  return { status, problems: isReady ? problemsOf(heard, status.nodes) : [] };
}

function nodeStatus({ member, said }: Heard): TwinNodeStatus {
  const gap = said?.gap && said.gap.away > 0 ? said.gap : null;
  const isServing = said?.state === "serving" && said.joined;
  return {
    name: member.name,
    state: isServing ? "serving" : said?.state === "down" || !said ? "down" : "waiting",
    complete: said !== null && said.joined && !gap,
    gap: gap ? { since: gap.since, done: gap.done } : null,
    uncompared_before: said?.uncompared_before ?? null,
    binary_sha256: said?.binary ?? null,
  };
}

function problemsOf(heard: readonly Heard[], status: readonly TwinNodeStatus[]): Problem[] {
  const serving = status.filter(({ state }) => state === "serving");
  return [
    ...(serving.length === 0 ? [nobodyServes(heard)] : []),
    ...single(heard),
    ...heard.flatMap((one, nth) => nodeProblems(one, status[nth]?.state, heard[1 - nth])),
    ...differentPrograms(status),
  ];
}

function nobodyServes(heard: readonly Heard[]): Problem {
  const down = heard.map(({ member, said }) => `${member.name}: ${said?.detail ?? "nothing heard"}`);
  return {
    code: "influxdb.down",
    severity: "error",
    node: heard.map(({ member }) => member.name).join(", "),
    message: `no server takes points and gives them back (${down.join("; ")})`,
    remedy: "start the nodes that are down; journalctl -u influxdb -u chime-node there says more",
  };
}

function single(heard: readonly Heard[]): Problem[] {
  const [first, second] = heard;
  const isThere =
    second && phases.indexOf(second.member.phase[roleName] ?? "joined") >= phases.indexOf("ready");
  if (!first || isThere) return [];
  return [
    {
      code: "influxdb.single",
      severity: "warning",
      node: first.member.name,
      message: second
        ? `InfluxDB is not highly available yet: ${second.member.name} is still being set up`
        : "InfluxDB runs on one node and is not highly available yet",
      remedy: second
        ? `wait for chime-node join on ${second.member.name}, or run it there again`
        : "chime-node join --role influxdb on a second node",
    },
  ];
}

function nodeProblems(
  { member: { name, phase }, said }: Heard,
  state: TwinNodeStatus["state"] | undefined,
  other: Heard | undefined,
): Problem[] {
  if (phase[roleName] !== "ready") return [];
  if (state !== "serving") {
    const why = said?.detail ? `: ${said.detail}` : "";
    return [
      {
        code: "influxdb.node_down",
        severity: "error",
        node: name,
        message: `the server of ${name} takes no points${why}`,
        remedy:
          beyondStatus(said?.remedy) ??
          `${start(name, said)}. journalctl -u influxdb -u chime-node there says more`,
      },
    ];
  }
  const gap = said?.gap;
  if (!gap) return [];
  if (gap.away === 0) return gap.trouble === null ? [] : [notCompared(name, gap, gap.trouble)];
  const isOtherBetter = other?.said?.state === "serving" && (other.said.gap?.away ?? 0) < gap.away;
  const why = gap.trouble === null ? "" : `: ${gap.trouble}`;
  return [
    {
      code: "influxdb.gap",
      severity: "error",
      node: name,
      message: `the server of ${name} may lack points ${sinceText(gap)}, ${Math.round(gap.done * 100)} % of it is compared and filled${why}`,
      remedy:
        beyondStatus(gap.remedy) ??
        (isOtherBetter
          ? `wait: ${other.member.name} serves, and ${name} gets what it lacks from it; until then do not lose ${other.member.name}`
          : `clients read from ${name}, since no other server has more: bring ${other?.member.name ?? "a second node"} back`),
    },
  ];
}

/** Whoever reads this has run `chime-node status`, which an error of a request may advise. */
function beyondStatus(remedy: string | null | undefined): string | undefined {
  return remedy === "chime-node status" ? undefined : (remedy ?? undefined);
}

/** One that listens need not be started. */
function start(name: string, said: Published | null): string {
  const what = said?.state === "waiting" ? "mend what it names" : `start ${name}`;
  return `${what}: what it lacks is filled by itself`;
}

type Gap = NonNullable<Published["gap"]>;

/** Nobody knows of anything that is missing. */
function notCompared(node: string, gap: Gap, trouble: string): Problem {
  return {
    code: "influxdb.not_compared",
    severity: "warning",
    node,
    message: `what ${node} has ${sinceText(gap)} could not be compared: ${trouble}`,
    remedy:
      beyondStatus(gap.remedy) ??
      "wait: it is tried again by itself; chime-node influxdb compare does it now, once both servers answer",
  };
}

function differentPrograms(status: readonly TwinNodeStatus[]): Problem[] {
  const hashes = new Set(status.flatMap(({ binary_sha256 }) => binary_sha256 ?? []));
  if (hashes.size < 2) return [];
  return [
    {
      code: "influxdb.programs_differ",
      severity: "warning",
      node: status.map(({ name }) => name).join(", "),
      message: "the nodes run different programs",
      remedy:
        "copy the same program to roles.influxdb.binary on both, then chime-node apply --role influxdb on both",
    },
  ];
}

import type { Problem } from "../guard.ts";
import type { MemberView } from "../../cluster/types.ts";
import type { PairNodeStatus, PairStatus, RoleContext } from "../types.ts";
import { engineOf } from "./engine/index.ts";
import { mysqlSpec, nodes } from "./layout.ts";
import { leftBehind, voterProblems } from "./voter-problems.ts";
import { publishedBy, type Published } from "./published.ts";

/** `status.roles.mysql` and what is wrong with the pair, from what its nodes published. Pure. */
export function mysqlStatus(
  context: RoleContext,
  members: readonly MemberView[],
): { status: PairStatus; problems: Problem[] } {
  const { topology, engine } = mysqlSpec(context);
  const present = nodes(members).filter((member) => member.state !== "left");
  const seen = present.map((member) => ({ member, said: heard(member) }));
  const writers = seen.filter(({ said }) => said?.state === "writer").map(({ member }) => member.name);
  return {
    status: {
      topology,
      engine,
      writable: writers,
      nodes: seen.map(({ member, said }) => nodeStatus(member, said)),
      voters: newestTerm(seen)?.voters ?? [],
    },
    problems: [
      ...writerProblems(seen, writers, context.cluster.name),
      ...replicaProblems(seen, (node) => filledAnew(context, node)),
      ...voterProblems(newestTerm(seen), members, context.spec.failover.policy, strangers(seen)),
      ...outProblems(seen, context.cluster.name),
    ],
  };
}

interface Seen {
  member: MemberView;
  said: Published | null;
}

function strangers(seen: readonly Seen[]): string[] {
  return seen.filter(({ said }) => said?.gateway === false).map(({ member }) => member.name);
}

/** Nodes that would not go on without the other one now. */
function outProblems(seen: readonly Seen[], clusterName: string): Problem[] {
  return seen.flatMap(({ member: { name }, said }) => {
    const other = said?.term?.in_sync.find((one) => one !== name);
    return said?.out && other !== undefined ? [leftBehind(name, other, said.out, clusterName)] : [];
  });
}

/** What a dead member last said is history. */
function heard(member: MemberView): Published | null {
  return member.state === "dead" ? null : publishedBy(member);
}

function nodeStatus(member: MemberView, said: Published | null): PairNodeStatus {
  return {
    name: member.name,
    state: said === null ? "down" : said.state === "broken" ? "replica" : said.state,
    replicating: said?.state === "replica" && said.follows !== null,
    lag_seconds: said?.state === "replica" ? said.lag : null,
    semi_sync: said?.semi_sync ?? false,
    protected: said?.protected ?? false,
  };
}

function writerProblems(seen: readonly Seen[], writers: readonly string[], clusterName: string): Problem[] {
  const [first] = seen;
  if (!first || seen.every(({ member }) => isYoung(member))) return [];
  if (writers.length === 1) return [];
  if (writers.length === 0) {
    return [
      {
        code: "mysql.no_writer",
        severity: "error",
        node: first.member.name,
        message: "no MySQL node accepts writes",
        remedy: noWriterRemedy(seen, clusterName),
      },
    ];
  }
  return [
    {
      code: "mysql.two_writers",
      severity: "error",
      node: writers.join(", "),
      message: `${writers.join(" and ")} both accept writes`,
      remedy: "mend the network between them; the one with the older term steps back by itself",
    },
  ];
}

/** Configured, but not told to serve yet: part of a join that is still under way. */
function isYoung(member: MemberView): boolean {
  const phase = member.phase["mysql"];
  return phase === undefined || phase === "joined" || phase === "installed";
}

/** Only a node that holds everything acknowledged may go on; where it is gone, it is the one to bring back. */
function noWriterRemedy(seen: readonly Seen[], clusterName: string): string {
  const newest = newestTerm(seen);
  const agents = seen.flatMap(({ member, said }) => (said === null ? [] : [{ name: member.name, said }]));
  const heir = agents.find(({ name }) => newest?.in_sync.includes(name)) ?? agents[0];
  const word = heir
    ? `; gone for good: chime-node failover --to ${heir.name} --accept-loss=${clusterName}`
    : "";
  const isUp = (name: string) => agents.some((agent) => agent.name === name && agent.said.state !== "down");
  const isSilent = (name: string) => seen.some(({ member, said }) => member.name === name && !said);
  const silent = newest?.voters.filter(isSilent) ?? [];
  if (newest && newest.in_sync.every(isUp) && silent.length > 0) {
    return `bring ${silent.join(" and ")} back, to confirm that ${newest.writer} may write${word}`;
  }
  const away = newest?.in_sync.filter((name) => !isUp(name)) ?? [];
  // A server that waits for the other node is started by its agent.
  const gone = away.some(isSilent) ? away.filter(isSilent) : away;
  if (gone.length > 0) {
    return `bring ${gone.join(" and ")} back: only with it is it sure that nothing acknowledged is missing${word}`;
  }
  return "chime-node status shows which node is not eligible; journalctl -u chime-node there says why";
}

function newestTerm(seen: readonly Seen[]): Published["term"] {
  return seen
    .flatMap(({ said }) => said?.term ?? [])
    .reduce<Published["term"]>((best, term) => (term.term > (best?.term ?? 0) ? term : best), null);
}

/** How a node gets the writer's data in place of its own. */
function filledAnew(context: RoleContext, node: string): string {
  return engineOf(mysqlSpec(context)).copy
    ? `on ${node}: chime-node join --rebuild ${node}`
    : `on ${node}: chime-node reset --delete-data=${context.cluster.name}, and join it again`;
}

function replicaProblems(seen: readonly Seen[], filled: (node: string) => string): Problem[] {
  const writer = seen.find(({ said }) => said?.state === "writer");
  if (!writer) return [];
  if (seen.length === 1) {
    return [
      {
        code: "mysql.no_replica",
        severity: "warning",
        node: writer.member.name,
        message: "MySQL runs on one node and is not highly available yet",
        remedy: "chime-node join --role mysql on a second node",
      },
    ];
  }
  const problems: Problem[] = [];
  for (const { member, said } of seen.filter((one) => one !== writer)) {
    const isServing = said !== null && said.state !== "down";
    if (!isServing && member.phase["mysql"] !== "ready") {
      problems.push({
        code: "mysql.no_replica",
        severity: "warning",
        node: writer.member.name,
        message: `MySQL is not highly available yet: ${member.name} is still being set up`,
        remedy: `wait for chime-node join on ${member.name}, or run it there again`,
      });
    } else if (!isServing) {
      problems.push({
        code: "mysql.replica_down",
        severity: "error",
        node: member.name,
        message: `the replica ${member.name} is down: ${writer.member.name} serves alone`,
        remedy: `start ${member.name}; it catches up by itself. journalctl -u chime-node there says more`,
      });
    } else if (said.state === "quarantined") {
      problems.push({
        code: "mysql.quarantined",
        severity: "error",
        node: member.name,
        message: `${member.name} holds transactions that ${writer.member.name} does not have (${said.detail ?? "?"}) and stays out`,
        remedy: `read them, put back by hand what is needed, then ${filled(member.name)}`,
      });
    } else if (said.state === "broken") {
      problems.push({
        code: "mysql.replication_broken",
        severity: "error",
        node: member.name,
        message: `${member.name} cannot replicate from ${writer.member.name}: ${said.detail ?? "no reason given"}`,
        remedy: `mend the cause: it is started again for you within seconds; or ${filled(member.name)}`,
      });
    }
  }
  if (problems.length === 0 && writer.said?.protected !== true) {
    problems.push({
      code: "mysql.unprotected",
      severity: "warning",
      node: writer.member.name,
      message: `${writer.member.name} acknowledges commits alone until its replica has caught up`,
      remedy: "wait; if it lasts, journalctl -u chime-node on the replica says why",
    });
  }
  return problems;
}

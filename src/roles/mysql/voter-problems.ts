import type { Problem } from "../guard.ts";
import type { MemberView } from "../../cluster/types.ts";
import type { Term } from "../../cluster/vote/term.ts";

const remedy = "chime-node join --role witness on any third machine";

/**
 * What the pair could not stand, for want of a vote. Pure.
 * @param strangers nodes that say that they do not reach their gateway
 */
export function voterProblems(
  term: Term | null,
  members: readonly MemberView[],
  policy: "available" | "safe",
  strangers: readonly string[],
): Problem[] {
  if (!term || term.old_voters.length > 0) return [];
  if (term.voters.length === 2) {
    const { writer: node, tie } = term;
    const lone: Problem = { code: "mysql.no_third_voter", severity: "warning", node, ...tied(tie) };
    return policy === "available" && tie !== "gateway" ? [lone, noGateway(node, strangers)] : [lone];
  }
  const third = members.find(({ name, roles }) => term.voters.includes(name) && !roles.includes("mysql"));
  if (third?.state !== "dead") return [];
  return [
    {
      code: "mysql.voter_down",
      severity: "warning",
      node: third.name,
      message: `${third.name}, the third voter, is silent: if a MySQL node is lost as well, writes stop`,
      remedy: `start ${third.name}, or: ${remedy}; another member takes its place by itself`,
    },
  ];
}

/** Two nodes alone have to give up one of two things when they lose sight of each other. */
function tied(tie: Term["tie"]): Pick<Problem, "message" | "remedy"> {
  const cost =
    tie === "gateway"
      ? "cut from each other, both would accept writes while both reach the gateway"
      : "without its replica the writer stops";
  return { message: `two nodes and no third voter: ${cost}`, remedy };
}

function noGateway(writer: string, strangers: readonly string[]): Problem {
  const who =
    strangers.length > 0 ? `no gateway answers ${strangers.join(" and ")}` : "no gateway has answered yet";
  return {
    code: "mysql.no_gateway",
    severity: "warning",
    node: strangers.join(", ") || writer,
    message: `${who}: failover.policy available works as safe, and without its replica the writer stops`,
    remedy: `give both nodes a default route by the network they share, or: ${remedy}`,
  };
}

/** A gateway that a node cannot count on: without the other one it does not go on. */
export function leftBehind(
  node: string,
  other: string,
  { at, since }: { at: string; since: string },
  clusterName: string,
): Problem {
  return {
    code: "mysql.out",
    severity: "warning",
    node,
    message: `${node} does not go on without ${other}: since ${since} (${at}) they have not spoken, and ${other} may have gone on alone`,
    remedy: `bring ${other} back; gone for good: chime-node failover --to ${node} --accept-loss=${clusterName}`,
  };
}

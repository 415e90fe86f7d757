import type { Problem } from "../../agent/guard.ts";
import type { MemberView } from "../../cluster/types.ts";
import type { Term } from "../../cluster/vote/term.ts";

const remedy = "chime-node join --role witness on any third machine";

/** What the pair could not stand, for want of a vote. Pure. */
export function voterProblems(
  term: Term | null,
  members: readonly MemberView[],
  policy: "available" | "safe",
): Problem[] {
  if (!term || term.old_voters.length > 0) return [];
  if (term.voters.length === 2) {
    return [{ code: "mysql.no_third_voter", severity: "warning", node: term.writer, ...tied(policy) }];
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
function tied(policy: "available" | "safe"): Pick<Problem, "message" | "remedy"> {
  const cost =
    policy === "available"
      ? "cut from each other, both would accept writes (failover.policy available)"
      : "without its replica the writer stops (failover.policy safe)";
  return { message: `two nodes and no third voter: ${cost}`, remedy };
}

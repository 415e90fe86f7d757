import type { FailoverReport, FailoverResult } from "../../roles/failover-report.ts";
import { describeFailover, failOverTo } from "../../operations/failover.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const failover = defineVerb({
  name: "failover",
  summary:
    "make a node the writer where the cluster cannot decide by itself; without --accept-loss only if nothing can be lost",
  example: "chime-node failover --to node2 --accept-loss=chime",
  args: {
    to: { type: "string", hint: "NODE", summary: "who is to write", required: true },
    acceptLoss: {
      type: "string",
      hint: "CLUSTER",
      summary: "accept what may be lost; the cluster's name proves that you mean it",
    },
    dryRun: { type: "flag", summary: "say what may be lost and who must be powered off, and do nothing" },
  },
  async run(context) {
    const { to, acceptLoss, dryRun } = context.args;
    const answer = await failOverTo({ to, acceptLoss, dryRun }, operationIo(context));
    const lines = answer.failovers.flatMap((one) =>
      "seconds" in one ? outcome(one) : describeFailover(one),
    );
    context.out.result(answer, lines.join("\n"));
  },
});

function outcome(result: FailoverResult): string[] {
  const { role, to, way, lost, seconds } = result;
  if (way !== "word") return describeFailover(result satisfies FailoverReport);
  const loss = lost === null ? "" : `; lost: ${lost.join(", ") || "nothing"}`;
  return [`${role}: ${to} writes after ${seconds} s${loss}`];
}

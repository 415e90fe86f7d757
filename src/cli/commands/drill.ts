import { Exit, type ExitCode } from "../../core/errors.ts";
import { drill as rehearse, drillKinds } from "../../operations/drill/drill.ts";
import { renderDrill } from "../../operations/drill/report.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const drill = defineVerb({
  name: "drill",
  summary:
    "rehearse failures: clients at work, one thing broken at a time, their outage, and whether all they were told is there",
  example: "chime-node drill --role mysql --kind kill,switchover --rounds 5 --cluster chime",
  args: {
    role: { type: "string", hint: "ROLE", summary: "what is broken", required: true },
    kind: {
      type: "words",
      hint: "KIND[,KIND]",
      options: drillKinds,
      summary: `of ${drillKinds.join(", ")}; default kill. Which of them a cluster that serves can stand, it says`,
    },
    rounds: { type: "count", hint: "N", summary: "how often each; default 3" },
    cluster: { type: "string", hint: "NAME", summary: "the cluster's name, which proves that you mean it" },
  },
  async run(context): Promise<ExitCode> {
    const { role, kind, rounds, cluster } = context.args;
    const kinds = kind.length > 0 ? kind : (["kill"] as const);
    const io = { ...operationIo(context), ask: context.out.ask };
    const report = await rehearse({ role, kinds, rounds: rounds ?? 3, cluster }, io);
    context.out.result(report, renderDrill(report));
    return report.passed ? Exit.done : Exit.failed;
  },
});

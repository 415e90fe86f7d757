import { Exit } from "../../core/errors.ts";
import { preflightNode } from "../../operations/preflight.ts";
import { defineVerb } from "../command.ts";
import { sharedArgs } from "../shared-args.ts";
import { table } from "../table.ts";

export const preflight = defineVerb({
  name: "preflight",
  summary: "check this machine before anything is touched",
  example: "chime-node preflight --role mysql",
  args: {
    role: { type: "words", hint: "ROLE[,ROLE]", summary: "check for these roles, too" },
    disk: {
      type: "list",
      hint: "DEV",
      summary: "whether this disk, or which of auto:NxSIZE, may be given to a role",
    },
    ignore: sharedArgs.ignore,
  },
  async run({ args, out }) {
    out.progress("checking this machine");
    const report = await preflightNode(args);
    const rows = report.checks.map((c) => [c.result, c.name, c.message, c.remedy]);
    out.result(report, table([["RESULT", "CHECK", "FOUND", "REMEDY"], ...rows]));
    return report.ok ? Exit.done : Exit.refused;
  },
});

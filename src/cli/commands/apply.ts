import { Exit } from "../../core/errors.ts";
import { applyNode } from "../../operations/converge.ts";
import { outcomeJson, renderOutcome } from "../../plan/render.ts";
import { defineVerb } from "../command.ts";
import { sharedArgs } from "../shared-args.ts";
import { operationIo } from "../operation.ts";

export const apply = defineVerb({
  name: "apply",
  summary: "make this node what cluster.toml says; publish cluster.toml first where it was edited",
  example: "chime-node apply --yes",
  args: { role: sharedArgs.onlyRole },
  async run(context) {
    const { outcome, total } = await applyNode(operationIo(context), context.args.role);
    context.out.result(outcomeJson(outcome, total), renderOutcome(outcome, total));
    return outcome.failed.length > 0 ? Exit.failed : Exit.done;
  },
});

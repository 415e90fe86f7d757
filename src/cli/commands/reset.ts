import { resetNode } from "../../operations/reset.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const reset = defineVerb({
  name: "reset",
  summary: "take this node back to what it was before chime-node; data stays unless told otherwise",
  example: "chime-node reset --yes",
  args: {
    deleteData: {
      type: "string",
      hint: "CLUSTER",
      summary: "delete the data, too; the cluster's name proves that you mean it",
    },
  },
  async run(context) {
    const done = await resetNode({ deleteData: context.args.deleteData }, operationIo(context));
    context.out.result(done, done.summary);
  },
});

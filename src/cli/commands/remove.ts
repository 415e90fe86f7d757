import { removeNode } from "../../operations/leave.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const remove = defineVerb({
  name: "remove",
  summary: "take a dead node out of the cluster; its certificate is refused from then on",
  example: "chime-node remove node2 --yes",
  args: {
    node: {
      type: "positional",
      hint: "NODE",
      summary: "its name, from status; of two of a name NAME:NUMBER",
      required: true,
    },
    acceptLoss: {
      type: "string",
      hint: "CLUSTER",
      summary: "of a possible writer: accept that what only it holds is lost; the cluster's name proves it",
    },
  },
  async run(context) {
    const { node, acceptLoss } = context.args;
    const removed = await removeNode(node, acceptLoss, operationIo(context));
    context.out.result(removed, `${removed.node} is removed; it can come back only by a fresh join`);
  },
});

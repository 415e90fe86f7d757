import { leaveCluster } from "../../operations/leave.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const leave = defineVerb({
  name: "leave",
  summary: "hand over, take this node out of the cluster and stop its roles; packages and data stay",
  example: "chime-node leave --yes",
  args: {},
  async run(context) {
    const left = await leaveCluster(operationIo(context));
    context.out.result(
      left,
      `${left.node} left ${left.cluster}; chime-node reset removes what is left of it here`,
    );
  },
});

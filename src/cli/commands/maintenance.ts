import { setMaintenance } from "../../operations/maintenance.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const maintenance = defineVerb({
  name: "maintenance",
  summary:
    "planned work on this node: it hands over, goes on replicating, and takes over nothing until it is off",
  example: "chime-node maintenance on",
  args: {
    state: {
      type: "positional",
      hint: "on|off",
      summary: "begin or end it",
      required: true,
      options: ["on", "off"],
    },
  },
  async run(context) {
    const done = await setMaintenance(context.args.state === "on", operationIo(context));
    const handed = done.handed_over.length > 0 ? `; it handed over ${done.handed_over.join(", ")}` : "";
    context.out.result(
      done,
      done.maintenance
        ? `${done.node} is in maintenance since ${done.since}${handed}`
        : `${done.node} is eligible again`,
    );
  },
});

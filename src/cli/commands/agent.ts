import { requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";

export const agent = defineVerb({
  name: "agent",
  summary: "run this node's agent in the foreground (systemd does this)",
  example: "chime-node agent",
  args: {},
  async run({ signal }) {
    requireRoot();
    const { runAgent } = await import("../../agent/daemon.ts");
    await runAgent(signal);
  },
});

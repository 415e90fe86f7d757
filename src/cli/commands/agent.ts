import { requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";
import { operationIo } from "../operation.ts";

export const agent = defineVerb({
  name: "agent",
  summary: "run this node's agent in the foreground (systemd does this)",
  example: "chime-node agent",
  args: {
    beforeStop: {
      type: "string",
      hint: "ROLE",
      summary: "what a role's unit runs before it stops its service: hand over what this node writes",
    },
    gaveUp: {
      type: "flag",
      summary: "what systemd runs when it gives up on the agent: stop writing, let go of the VIPs",
    },
  },
  async run(context) {
    const { beforeStop: role, gaveUp } = context.args;
    requireRoot();
    if (role !== undefined) {
      const { beforeStop } = await import("../../operations/before-stop.ts");
      await beforeStop(role, operationIo(context));
    } else if (gaveUp) {
      const { standInForAgent } = await import("../../operations/gave-up.ts");
      await standInForAgent(operationIo(context));
    } else {
      await serve(context.signal);
    }
  },
});

/** For what is written to the journal last. */
const lastWordsMs = 50;

async function serve(signal: AbortSignal): Promise<void> {
  const { runAgent } = await import("../../agent/daemon.ts");
  try {
    await runAgent(signal);
  } catch (error) {
    // What it has begun would go on otherwise: a node that nobody watches would look alive to its peers.
    // eslint-disable-next-line unicorn/no-process-exit -- with the code that was set meanwhile
    setTimeout(() => process.exit(), lastWordsMs);
    throw error;
  }
}

import type { Move } from "../../agent/switchover.ts";
import { callAgent } from "../../agent/socket.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";
import { interrupted } from "../prompt.ts";

export const switchover = defineVerb({
  name: "switchover",
  summary: "move the writer to the other node, as planned work: nothing is lost, writes pause for a moment",
  example: "chime-node switchover --to node2",
  args: { to: { type: "string", hint: "NODE", summary: "where to; default: the replica" } },
  async run({ args, out, signal }) {
    requireRoot();
    await requireIdentity();
    out.progress(`handing over${args.to === undefined ? "" : ` to ${args.to}`}`);
    const params = args.to === undefined ? {} : { to: args.to };
    const moves = await callAgent<Move[]>("switchover", params, { signal, timeoutMs: 60_000 }).catch(
      (error: unknown) => {
        // The agent does not stop half-way, and the same command again could move the writer back.
        throw signal.aborted
          ? interrupted("chime-node status shows who writes: what had begun goes on")
          : error;
      },
    );
    const lines = moves.map(({ role, from, to, seconds }) => `${role}: ${from} → ${to} in ${seconds} s`);
    out.result({ moves }, lines.join("\n") || `${args.to ?? "this node"} is the writer already`);
  },
});

import type { ClusterHistory } from "../../agent/cluster-history.ts";
import { callAgent } from "../../agent/socket.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";
import { renderHistory } from "../render-history.ts";

export const history = defineVerb({
  name: "history",
  summary: "show what happened in the cluster: promotions step by step, planned moves, members, drills",
  example: "chime-node history",
  args: {},
  async run({ out, signal }) {
    requireRoot();
    await requireIdentity();
    const found = await callAgent<ClusterHistory>("history", {}, { signal });
    for (const name of found.silent)
      out.warn(`${name} does not answer: what only it remembers is missing here`);
    out.result(found, renderHistory(found.events, out.style) || "nothing has happened yet");
  },
});

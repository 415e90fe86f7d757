import type { Status } from "../../agent/status.ts";
import { callAgent } from "../../agent/socket.ts";
import { Exit } from "../../core/errors.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";
import { renderStatus } from "../render-status.ts";

export const status = defineVerb({
  name: "status",
  summary: "show the whole cluster; exits 4 when something is wrong",
  example: "chime-node status --json",
  args: {},
  async run({ out, signal }) {
    requireRoot();
    await requireIdentity();
    const found = await callAgent<Status>("status", {}, { signal });
    out.result(found, renderStatus(found, out.style));
    return found.healthy ? Exit.done : Exit.problems;
  },
});

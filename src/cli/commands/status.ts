import type { Status } from "../../agent/status.ts";
import { callAgent } from "../../agent/socket.ts";
import { systemClock } from "../../core/clock.ts";
import { Exit, toChimeError, usageError, type ExitCode } from "../../core/errors.ts";
import { requireIdentity, requireRoot } from "../../operations/context.ts";
import { defineVerb } from "../command.ts";
import type { Output } from "../output.ts";
import { renderPicture, renderStatus, statusLine } from "../render-status.ts";

export const status = defineVerb({
  name: "status",
  summary: "show the whole cluster; exits 4 when something is wrong",
  example: "chime-node status --watch",
  args: { watch: { type: "flag", summary: "keep looking, until Ctrl-C" } },
  async run({ args, out, signal }) {
    if (args.watch && out.json) {
      throw usageError(
        "usage.watch_json",
        "--watch and --json exclude each other",
        "poll chime-node status --json",
      );
    }
    requireRoot();
    await requireIdentity();
    if (args.watch) return watch(out, signal);
    const found = await callAgent<Status>("status", {}, { signal });
    out.result(found, renderStatus(found, out.style));
    return found.healthy ? Exit.done : Exit.problems;
  },
});

/** How often a watching person sees something new, ms. */
const watchMs = 1_000;

/** On a terminal one picture that is redrawn; elsewhere one line for each change. Ends with Ctrl-C alone. */
async function watch(out: Output, signal: AbortSignal): Promise<ExitCode> {
  let last = "";
  while (!signal.aborted) {
    const at = new Date(systemClock.wall()).toISOString();
    const [picture, line] = await look(out, signal, at);
    if (out.live) out.frame(picture);
    else if (line !== last) out.frame(`${at} ${line}`);
    last = line;
    await systemClock.sleep(watchMs, signal).catch(() => undefined);
  }
  return Exit.interrupted;
}

/** An agent that does not answer is part of the picture: it may be back with the next look. */
async function look(out: Output, signal: AbortSignal, at: string): Promise<[picture: string, line: string]> {
  const footer = `${at.slice(11, 19)}Z, Ctrl-C ends`;
  try {
    const found = await callAgent<Status>("status", {}, { signal });
    return [renderPicture(found, out.style, footer), statusLine(found)];
  } catch (error) {
    const { message, remedy } = toChimeError(error);
    const said = [out.style.red(message), ...(remedy === undefined ? [] : [`  → ${remedy}`])];
    return [`${said.join("\n")}\n\n${out.style.dim(footer)}`, message];
  }
}

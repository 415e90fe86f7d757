import { callAgent } from "../agent/socket.ts";
import { systemClock } from "../core/clock.ts";
import { ChimeError, Exit, failed, toChimeError } from "../core/errors.ts";
import type { Deleted } from "../roles/influxdb/delete.ts";
import type { DeletionProgress } from "../roles/influxdb/guard/begun.ts";
import type { DeletionResult } from "../roles/influxdb/guard/deleting.ts";
import { roleName } from "../roles/influxdb/layout.ts";
import type { Io } from "./io.ts";

/** The other node is asked what is under way there, and fillings are ended on both. */
const beginMs = 60_000;
/** From now on it is worth telling why it takes so long, ms. */
const longMs = 5_000;
const why =
  "InfluxDB takes each series out of its index by itself: 100,000 take a minute, on a slow disk an hour; if this command is interrupted, the agents go on";

/**
 * Has this node's agent delete on both servers, one after the other, for as long as they are at work. Interrupted, the agents
 * go on.
 * @throws ChimeError `influxdb.repairing`, `influxdb.repair_unknown` (exit 3), `influxdb.*`
 */
export async function deleteByAgent(
  what: Deleted,
  { signal, progress, note }: Pick<Io, "signal" | "progress" | "note">,
): Promise<DeletionResult> {
  const call = <T>(method: string, params: unknown, timeoutMs?: number) =>
    callAgent<T>(
      "role.command",
      { role: roleName, method, params },
      { signal, ...(timeoutMs && { timeoutMs }) },
    );
  const started = systemClock.now();
  const id = await call<string>("delete", what, beginMs);
  let isTold = false;
  for (;;) {
    const { awaiting, result, failure } = await call<DeletionProgress>("deletion", id).catch(
      (error: unknown) => {
        throw signal.aborted ? error : unheard(error);
      },
    );
    if (result) return result;
    if (failure) {
      const { code, message, remedy, node } = failure;
      throw new ChimeError(Exit.failed, code, message, {
        remedy: remedy ?? undefined,
        node: node ?? undefined,
      });
    }
    if (awaiting !== null) progress(`deleting on ${awaiting}`);
    if (!isTold && systemClock.now() - started > longMs) {
      note(why);
      isTold = true;
    }
  }
}

/** The agent was restarted. */
function unheard(error: unknown): ChimeError {
  const { code, message } = toChimeError(error);
  return failed(
    code,
    message,
    "what is to be deleted is written down, and the agents go on with it: run the same command again to wait for its end",
  );
}

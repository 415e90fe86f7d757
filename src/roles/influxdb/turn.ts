import * as v from "valibot";
import { systemClock } from "../../core/clock.ts";
import { ChimeError, failed } from "../../core/errors.ts";
import type { ApplyContext } from "../../resources/types.ts";
import { roleName } from "./layout.ts";

/** A second server that is only being filled has what it lacks in minutes, as a rule. */
const limitMs = 600_000;
const lookMs = 500;

const answerSchema = v.object({ awaiting: v.nullable(v.string()) });

/**
 * Returns when this node's server may be restarted: the other one has everything, the VIP is there, and it will not be
 * restarted, too. Where no guard runs yet the server has no clients.
 * @throws ChimeError `influxdb.no_turn`, `agent.not_running`
 */
export async function awaitTurn(run: ApplyContext): Promise<void> {
  const giveUp = systemClock.now() + limitMs;
  for (;;) {
    const awaiting = await ask(run);
    if (awaiting === null) return;
    if (systemClock.now() > giveUp) {
      throw failed(
        "influxdb.no_turn",
        `this node's server is not restarted after ${limitMs / 60_000} minutes of waiting: ${awaiting}`,
        { remedy: "chime-node status; then chime-node apply again" },
      );
    }
    run.progress(awaiting);
    await systemClock.sleep(lookMs, run.signal);
  }
}

async function ask(run: ApplyContext): Promise<string | null> {
  try {
    return v.parse(answerSchema, await run.ask(roleName, "turn")).awaiting;
  } catch (error) {
    if (error instanceof ChimeError && error.code === "role.not_here") return null;
    throw error;
  }
}

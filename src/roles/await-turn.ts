import * as v from "valibot";
import type { RoleName } from "../cluster/types.ts";
import { systemClock } from "../core/clock.ts";
import { ChimeError, failed } from "../core/errors.ts";
import type { ApplyContext } from "../resources/types.ts";
import { turnMethod } from "./turn.ts";

/** A second server that is only being filled has what it lacks in minutes, as a rule. */
const limitMs = 600_000;
const lookMs = 500;

const answerSchema = v.object({ awaiting: v.nullable(v.string()) });

/**
 * Returns when this node's server may be restarted: the other one has everything, the VIP is there, and it will not be
 * restarted, too. Where no guard runs yet the server has no clients.
 * @throws ChimeError `ROLE.no_turn`, `agent.not_running`
 */
export const awaitTurn = (role: RoleName) => (run: ApplyContext) => awaited(role, run);

async function awaited(role: RoleName, run: ApplyContext): Promise<void> {
  const giveUp = systemClock.now() + limitMs;
  for (;;) {
    const awaiting = await ask(role, run);
    if (awaiting === null) return;
    if (systemClock.now() > giveUp) {
      throw failed(
        `${role}.no_turn`,
        `this node's server is not restarted after ${limitMs / 60_000} minutes of waiting: ${awaiting}`,
        { remedy: "chime-node status; then chime-node apply again" },
      );
    }
    run.progress(awaiting);
    await systemClock.sleep(lookMs, run.signal);
  }
}

async function ask(role: RoleName, run: ApplyContext): Promise<string | null> {
  try {
    return v.parse(answerSchema, await run.ask(role, turnMethod)).awaiting;
  } catch (error) {
    if (error instanceof ChimeError && error.code === "role.not_here") return null;
    throw error;
  }
}

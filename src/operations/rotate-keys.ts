import { callAgent } from "../agent/socket.ts";
import type { RotationProgress } from "../cluster/rotation.ts";
import { systemClock } from "../core/clock.ts";
import { usageError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { untilRotated } from "./until-rotated.ts";

export interface RotateKeysResult {
  /** Of the ring that all members have now. */
  version: number;
  /** Members that were not there: they get the keys as soon as they are. */
  away: readonly string[];
  seconds: number;
}

/**
 * Gives the cluster another key for gossip's datagrams. The agents carry it out: where this is interrupted they go on, and
 * the same command again goes on waiting.
 * @param options.timeout for all members, ms
 * @throws ChimeError `keys.witness`, `keys.old_member` (exit 3, nothing touched); `keys.timeout`
 */
export async function rotateKeys({ timeout }: { timeout: number }, io: Io): Promise<RotateKeysResult> {
  const started = systemClock.now();
  const before = await progress(io);
  if (before.done) {
    const question = "Change the key of gossip's datagrams on all members? No service is touched.";
    if (!(await io.confirm(question))) throw usageError("keys.declined", "nothing was changed");
  } else io.note(`a rotation is under way: ${before.awaiting ?? ""}`);
  await callAgent("keys.rotate", {}, { signal: io.signal });
  const { version, away } = await untilRotated(
    {
      progress: () => progress(io),
      isOver: ({ done }) => done,
      code: "keys",
      show: "chime-node status",
      timeout,
    },
    io,
  );
  for (const name of away) io.warn(`${name} is not there: it gets the new key when it is back`);
  return { version, away, seconds: Math.round(systemClock.now() - started) / 1000 };
}

const progress = (io: Io) => callAgent<RotationProgress>("keys.progress", {}, { signal: io.signal });

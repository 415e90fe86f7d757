import { callAgent } from "../agent/socket.ts";
import type { RotationProgress } from "../cluster/rotation.ts";
import { systemClock } from "../core/clock.ts";
import { failed, usageError } from "../core/errors.ts";
import type { Io } from "./io.ts";

export interface RotateKeysResult {
  /** Of the ring that all members have now. */
  version: number;
  /** Members that were not there: they get the keys as soon as they are. */
  away: readonly string[];
  seconds: number;
}

const lookMs = 300;

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
  const giveUp = systemClock.now() + timeout;
  for (;;) {
    const { done, version, awaiting, away } = await progress(io);
    if (done) {
      for (const name of away) io.warn(`${name} is not there: it gets the new key when it is back`);
      return { version, away, seconds: Math.round(systemClock.now() - started) / 1000 };
    }
    if (systemClock.now() > giveUp) {
      throw failed("keys.timeout", `not every member is done after ${timeout / 1000} s: ${awaiting}`, {
        remedy: "chime-node status; the agents go on by themselves, the same command again goes on waiting",
      });
    }
    io.progress(awaiting ?? "");
    await systemClock.sleep(lookMs, io.signal);
  }
}

const progress = (io: Io) => callAgent<RotationProgress>("keys.progress", {}, { signal: io.signal });

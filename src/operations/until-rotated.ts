import type { RotationProgress } from "../cluster/rotation.ts";
import { systemClock } from "../core/clock.ts";
import { failed } from "../core/errors.ts";
import type { Io } from "./io.ts";

const lookMs = 300;

export interface Awaited<P> {
  /** How far it is, by this node's agent. */
  progress: () => Promise<P>;
  isOver: (at: P) => boolean;
  /** Begins the code of what is thrown. */
  code: string;
  /** The command that tells how far it is. */
  show: string;
  /** For all members, ms. */
  timeout: number;
}

/**
 * Waits for a rotation that the agents carry out by themselves.
 * @returns how far it was when it was over
 * @throws ChimeError `CODE.timeout`
 */
export async function untilRotated<P extends Pick<RotationProgress, "awaiting">>(
  { progress, isOver, code, show, timeout }: Awaited<P>,
  io: Io,
): Promise<P> {
  const giveUp = systemClock.now() + timeout;
  for (;;) {
    const at = await progress();
    if (isOver(at)) return at;
    if (systemClock.now() > giveUp) {
      throw failed(
        `${code}.timeout`,
        `not every member is done after ${timeout / 1000} s: ${at.awaiting ?? ""}`,
        {
          remedy: `${show}; the agents go on by themselves, the same command again goes on waiting`,
        },
      );
    }
    io.progress(at.awaiting ?? "");
    await systemClock.sleep(lookMs, io.signal);
  }
}

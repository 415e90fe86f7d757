import type { Clock } from "../../../core/clock.ts";
import { toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";

/** Does it again and again, `ms` after it ended, until the signal. What goes wrong is told, but for what the signal ends. */
export async function repeat(
  clock: Pick<Clock, "sleep">,
  ms: number,
  signal: AbortSignal,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await work().catch((error: unknown) => {
      if (!signal.aborted) log.warn("minio:", toChimeError(error).message);
    });
    await clock.sleep(ms, signal).catch(() => undefined);
  }
}

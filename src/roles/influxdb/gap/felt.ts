import type { Clock } from "../../../core/clock.ts";
import type { Server } from "../client.ts";
import { probeBucket } from "../layout.ts";
import { writeLines } from "../write.ts";
import { Pace, type Care } from "./pace.ts";

/** How often each server is given a point of ours, ms: as often as many clients do. */
const everyMs = 25;
const timeoutMs = 5_000;

/**
 * Does something at a pace that clients of both servers can stand: what they feel is told by writes of our own to the bucket
 * in which servers prove themselves. Where those fail, the work itself will say why.
 */
export async function atPace<T>(
  servers: readonly Server[],
  clock: Clock,
  limits: Care,
  work: (limits: Care) => Promise<T>,
): Promise<T> {
  const pace = new Pace(clock);
  const over = new AbortController();
  const signal = limits.signal ? AbortSignal.any([limits.signal, over.signal]) : over.signal;
  const feeling = servers.map(async (server) => {
    while (!signal.aborted) {
      const start = clock.now();
      const body = `felt value=1i ${Math.floor(clock.wall())}`;
      const wrote = writeLines(
        server,
        { bucket: probeBucket.name, body, precision: "ms" },
        { timeoutMs, signal },
      );
      await wrote.then(
        () => pace.felt(start),
        () => pace.unfelt(),
      );
      await clock.sleep(everyMs, signal).catch(() => undefined);
    }
    // Work that is ended before anything was felt would wait for it for ever.
    pace.unfelt();
  });
  try {
    return await work({ ...limits, pace });
  } finally {
    over.abort();
    await Promise.all(feeling);
  }
}

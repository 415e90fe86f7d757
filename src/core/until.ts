import type { Clock } from "./clock.ts";

interface Patience {
  /** ms */
  limitMs: number;
  everyMs: number;
  signal?: AbortSignal | undefined;
}

/** Looks until something is so. @returns false where it was not within the limit. @throws the signal's reason */
export async function until(
  clock: Pick<Clock, "now" | "sleep">,
  { limitMs, everyMs, signal }: Patience,
  isSo: () => boolean | Promise<boolean>,
): Promise<boolean> {
  for (const end = clock.now() + limitMs; !(await isSo()); await clock.sleep(everyMs, signal))
    if (clock.now() > end) return false;
  return true;
}

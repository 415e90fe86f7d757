/**
 * Asks until the answer is true.
 * @throws Error after `timeoutMs`, naming what was awaited
 */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  ask: () => boolean | Promise<boolean>,
  everyMs = 20,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await Bun.sleep(everyMs);
  }
}

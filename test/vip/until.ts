/** Waits for a condition; fails loudly when it does not come true in time. */
export async function until(condition: () => boolean, ms = 2000): Promise<void> {
  const end = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${condition.toString()}`);
    await Bun.sleep(5);
  }
}

/**
 * For work that sees the state of things when it begins: whoever asks while it is under way shares the next run with all
 * others who do. A run that fails is told to those who share it, and the next one begins all the same.
 */
export function shareNext(work: () => Promise<unknown>): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | undefined;
  async function run(): Promise<void> {
    await running;
    next = undefined;
    const mine = work();
    running = mine.catch(() => undefined);
    await mine;
  }
  return () => (next ??= run());
}

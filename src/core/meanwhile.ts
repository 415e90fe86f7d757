/**
 * Takes a step each time `everyMs` have passed without `work` being done; the work's own end comes first. One step at a
 * time. Where a step fails nobody hears of the work any more, which goes on.
 * @throws what the work or a step failed with
 */
export async function meanwhile<T>(work: Promise<T>, everyMs: number, step: () => Promise<void>): Promise<T> {
  const done = work.then(() => true);
  // Seen below; a step that fails first must not leave it unheard.
  done.catch(() => undefined);
  while (!(await Promise.race([done, Bun.sleep(everyMs)]))) await step();
  return work;
}

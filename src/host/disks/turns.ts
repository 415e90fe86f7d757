/** More at the same time would only crowd a small machine, and a disk shelf. */
const sideBySide = 4;

/** Works on all items, a few at a time; `seat` says which of the few, for what each of them keeps for itself. */
export async function inTurns<T>(
  items: readonly T[],
  work: (item: T, seat: number) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const sit = async (_: unknown, seat: number) => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item, seat);
  };
  await Promise.all(Array.from({ length: sideBySide }, sit));
}

/** Works on all items, `atOnce` at a time; `seat` says which of these, for what each of them keeps for itself. */
export async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, seat: number) => Promise<void>,
): Promise<void> {
  const left = items.values();
  const sit = async (_: unknown, seat: number) => {
    for (const item of left) await work(item, seat);
  };
  await Promise.all(Array.from({ length: atOnce }, sit));
}

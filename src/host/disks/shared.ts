let turn: Promise<unknown> = Promise.resolve();

/**
 * A look at disks that many may ask for at once. Looks of all kinds come one after another, for one would find what the
 * other's programs have open; those who ask meanwhile share the next one.
 */
export function shared<T>(look: () => Promise<T>): () => Promise<T> {
  let next: Promise<T> | undefined;
  return () => {
    if (next) return next;
    const mine = turn.then(() => {
      next = undefined;
      return look();
    });
    next = mine;
    turn = mine.catch(() => undefined);
    return mine;
  };
}

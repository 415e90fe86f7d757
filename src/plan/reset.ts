import type { Kind, UndoContext } from "../resources/types.ts";
import type { Ledger } from "./ledger.ts";

/**
 * Takes back everything that the ledger knows, last made first, then lets the kinds settle (start again what ran
 * before). Killed at any moment, the next run goes on: a resource is forgotten only when it was undone, and
 * every undo may be done twice.
 * @throws the signal's reason between two resources: none is left half undone
 */
export async function undoAll(
  ledger: Ledger,
  kinds: readonly Kind[],
  context: UndoContext & { signal?: AbortSignal },
  only: (id: string) => boolean = () => true,
): Promise<void> {
  const byName = new Map(kinds.map((kind) => [kind.name, kind]));
  const kindOf = (id: string): Kind => {
    const kind = byName.get(id.slice(0, id.indexOf(":")));
    if (!kind) throw new Error(`the ledger knows ${id}, but no kind does`);
    return kind;
  };
  const undone = ledger.ids().filter(only).toReversed();
  const settling = undone.filter((id) => kindOf(id).settle !== undefined);
  for (const id of undone) {
    context.signal?.throwIfAborted();
    context.progress(`taking back ${id}`);
    await kindOf(id).undo(id, ledger.noted(id), context);
    if (!settling.includes(id)) await ledger.forget(id);
  }
  for (const id of settling) {
    context.signal?.throwIfAborted();
    await kindOf(id).settle?.(id, ledger.noted(id), context);
    await ledger.forget(id);
  }
}

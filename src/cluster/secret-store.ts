import * as v from "valibot";
import { randomSecret } from "../core/random.ts";
import type { Secrets } from "../spec/types.ts";
import { loadSecrets, saveSecrets } from "./secrets.ts";

/** Which value of a secret that is being changed a node has; each change has an id, which tells nothing of the value. */
export interface SecretState {
  /** What this node goes by, and hands to its service. */
  current: string;
  /** What it holds and does not go by yet. */
  next: string | null;
  /**
   * What its service runs with: after `current` has changed, the one before, until it was restarted. Of one that is replaced by
   * another beside it, what its service is known to take, which may be `next` already.
   */
  used: string;
  /** Of one that is replaced by another beside it: what is still taken, and the last that is not any more. */
  beside?: { old: string | null; retired: string | null } | undefined;
}

const original = "0";
/** Of a secret that was never changed. */
export const unchanged: SecretState = { current: original, next: null, used: original };

/** A change's id, as it is told to others. */
export const changeId = v.pipe(v.string(), v.regex(/^(0|[1-9]\d{0,5}\.[A-Za-z0-9]{8})$/));

/** Beside a value `name` in its role's table of secrets.toml. */
const keys = (name: string) => ({
  id: `${name}_id`,
  next: `${name}_next`,
  nextId: `${name}_next_id`,
  used: `${name}_used_id`,
  old: `${name}_old`,
  oldId: `${name}_old_id`,
  retired: `${name}_retired_id`,
});

/** A value, and which change it came with. */
export interface Held {
  id: string;
  value: string;
}

/** What a role's table of secrets.toml holds of a secret. Pure. */
export function heldIn(
  table: Readonly<Record<string, string>> | undefined,
  name: string,
): { current: Held; next: Held | undefined; old: Held | undefined } {
  const { id, next, nextId, old, oldId } = keys(name);
  return {
    current: { id: table?.[id] ?? original, value: table?.[name] ?? "" },
    next: both(table?.[nextId], table?.[next]),
    old: both(table?.[oldId], table?.[old]),
  };
}

function both(id: string | undefined, value: string | undefined): Held | undefined {
  return id === undefined || value === undefined ? undefined : { id, value };
}

/** What becomes of a role's table. */
type Change = (table: Record<string, string>) => Record<string, string>;

/**
 * This node's copy of the secrets, and how far it is with changing one: that is in the same file, so that a power cut leaves
 * both or neither.
 */
export class SecretStore {
  readonly #path: string;
  #all: Secrets;
  #writing: Promise<void> = Promise.resolve();

  private constructor(path: string, all: Secrets) {
    this.#path = path;
    this.#all = all;
  }

  /** Empty on a witness. @throws ChimeError `secrets.unreadable` */
  static async load(path: string): Promise<SecretStore> {
    return new SecretStore(path, await loadSecrets(path));
  }

  get all(): Secrets {
    return this.#all;
  }

  /** Undefined where this node does not have it. */
  state(role: string, name: string): SecretState | undefined {
    const table = this.#all[role];
    if (table?.[name] === undefined) return undefined;
    const { id, nextId, used, oldId, retired } = keys(name);
    const current = table[id] ?? original;
    const beside = { old: table[oldId] ?? null, retired: table[retired] ?? null };
    const isReplaced = beside.old !== null || beside.retired !== null;
    return {
      current,
      next: table[nextId] ?? null,
      used: table[used] ?? current,
      ...(isReplaced && { beside }),
    };
  }

  /** The value that belongs to an id; undefined where this node does not hold it. */
  value(role: string, name: string, id: string): string | undefined {
    const state = this.state(role, name);
    if (state?.current === id) return this.#all[role]?.[name];
    return state?.next === id ? this.#all[role]?.[keys(name).next] : undefined;
  }

  /** Begins a change with a new value. @returns its id */
  async begin(role: string, name: string): Promise<string> {
    const version = Number.parseInt(this.state(role, name)?.current ?? original, 10) + 1;
    const id = `${version}.${randomSecret().slice(0, 8)}`;
    await this.keep(role, name, id, randomSecret());
    return id;
  }

  /** Holds a value without going by it yet, in place of any other such value. */
  keep(role: string, name: string, id: string, value: string): Promise<void> {
    const { next, nextId } = keys(name);
    return this.#write(role, (table) => ({ ...table, [next]: value, [nextId]: id }));
  }

  /** Goes by the value that it held. What the service runs with is another matter: see `use`. */
  take(role: string, name: string): Promise<void> {
    const { id, next, nextId, used } = keys(name);
    return this.#write(role, ({ [next]: value, [nextId]: taken, ...table }) =>
      value === undefined || taken === undefined
        ? table
        : { ...table, [name]: value, [id]: taken, [used]: table[used] ?? table[id] ?? original },
    );
  }

  /** The same, and the value before stays beside it until it is retired. */
  replace(role: string, name: string): Promise<void> {
    const { id, next, nextId, used, old, oldId } = keys(name);
    return this.#write(role, (table) => {
      const { [next]: value, [nextId]: taken, ...rest } = table;
      delete rest[used];
      const { current } = heldIn(table, name);
      if (value === undefined || taken === undefined) return table;
      return { ...rest, [name]: value, [id]: taken, [old]: current.value, [oldId]: current.id };
    });
  }

  /** The service takes the next value as well. */
  prove(role: string, name: string): Promise<void> {
    const { nextId, used } = keys(name);
    return this.#write(role, ({ ...table }) =>
      table[nextId] === undefined ? table : { ...table, [used]: table[nextId] },
    );
  }

  /** Forgets the value that was beside: nothing takes it any more. */
  retire(role: string, name: string): Promise<void> {
    const { old, oldId, retired } = keys(name);
    return this.#write(role, (table) => {
      const { [oldId]: gone, ...rest } = table;
      delete rest[old];
      return gone === undefined ? table : { ...rest, [retired]: gone };
    });
  }

  /** The service runs with what this node goes by. */
  use(role: string, name: string): Promise<void> {
    const { used } = keys(name);
    const without = (table: Record<string, string>) => Object.entries(table).filter(([key]) => key !== used);
    return this.#write(role, (table) => Object.fromEntries(without(table)));
  }

  /** One after the other, each from what the one before has left. */
  #write(role: string, change: Change): Promise<void> {
    const written = this.#writing.then(() => this.#writeNow(role, change));
    this.#writing = written.catch(() => undefined);
    return written;
  }

  async #writeNow(role: string, change: Change): Promise<void> {
    const next = { ...this.#all, [role]: change({ ...this.#all[role] }) };
    await saveSecrets(this.#path, next);
    this.#all = next;
  }
}

/** Whether the first id is of a later change. Of two that were begun at once the greater one stays. Pure. */
export function isLater(a: string, b: string): boolean {
  const [first, second] = [Number.parseInt(a, 10), Number.parseInt(b, 10)];
  return first === second ? a > b : first > second;
}

/** Whether what a node still takes beside the current value was retired by another one. Pure. */
export function isRetired({ beside }: SecretState, others: readonly SecretState[]): boolean {
  const old = beside?.old ?? null;
  return (
    old !== null &&
    others.some(({ beside: theirs }) => theirs?.retired != null && !isLater(old, theirs.retired))
  );
}

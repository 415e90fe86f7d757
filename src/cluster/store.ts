import * as v from "valibot";
import { failed } from "../core/errors.ts";
import { readText, writeAtomic } from "./files.ts";
import { stateParts, type StateParts } from "./schema.ts";

/** What an agent must still know after a restart. */
export interface Stored {
  /** This node's incarnation of the last start. */
  incarnation: number;
  state: StateParts;
}

export interface StateStore {
  load(): Promise<Stored | undefined>;
  save(stored: Stored): Promise<void>;
}

const schema = v.object({
  incarnation: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  state: stateParts,
});

/** `path`: cluster.json, 0600 (it holds hashes of join secrets). */
export function fileStore(path: string): StateStore {
  return {
    async load() {
      const text = await readText(path);
      if (text === undefined) return undefined;
      try {
        return v.parse(schema, JSON.parse(text));
      } catch (cause) {
        throw failed("state.damaged", `${path} cannot be read as the cluster's state`, {
          remedy: `move ${path} away and restart chime-node.service: the other members tell this node again`,
          cause,
        });
      }
    },
    async save(stored) {
      try {
        await writeAtomic(path, `${JSON.stringify(stored)}\n`, 0o600);
      } catch (cause) {
        throw failed("state.not_saved", `${path} cannot be written: ${(cause as Error).message}`, {
          remedy: "free space on that file system, or make it writable, then run this again",
          cause,
        });
      }
    },
  };
}

/** Whether the cluster knows that this member has left it, as far as this node's file at `path` says. @throws ChimeError `state.damaged` */
export async function hasLeft(path: string, { index }: { index: number }): Promise<boolean> {
  const stored = await fileStore(path).load();
  return stored?.state.admissions.find((admission) => admission.index === index)?.left ?? false;
}

/** Saves what is newest, one write at a time; what changes during a write is written right after it. */
export class Saver {
  private readonly store: StateStore;
  private readonly snapshot: () => Stored;
  private running: Promise<void> | undefined;
  private next: Promise<void> | undefined;

  constructor(store: StateStore, snapshot: () => Stored) {
    this.store = store;
    this.snapshot = snapshot;
  }

  /** Resolves once all that is true now is on disk. */
  save(): Promise<void> {
    if (!this.running) return (this.running = this.write());
    // A running write took its snapshot before this call.
    this.next ??= this.running.then(
      () => this.followUp(),
      () => this.followUp(),
    );
    return this.next;
  }

  private followUp(): Promise<void> {
    this.next = undefined;
    return (this.running = this.write());
  }

  private async write(): Promise<void> {
    try {
      await this.store.save(this.snapshot());
    } finally {
      this.running = undefined;
    }
  }
}

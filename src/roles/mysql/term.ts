import { readFile } from "node:fs/promises";
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";

/**
 * Who may write: the durable record of a single-writer role (design.md §4). A higher term wins. Every change is a new
 * term, on this node's disk before it takes effect.
 */
export const termSchema = v.object({
  term: v.pipe(v.number(), v.integer(), v.minValue(1)),
  writer: v.pipe(v.string(), v.maxLength(64)),
  /** The nodes that hold every acknowledged transaction. Only they may become the writer. */
  in_sync: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.minLength(1), v.maxLength(2)),
});
export type Term = v.InferOutput<typeof termSchema>;

/** What a node remembers over restarts of its agent. */
const memorySchema = v.object({
  term: v.nullable(termSchema),
  /**
   * The run of the server (`ServerState.life`) in which it was found to hold everything. A server that restarted
   * since may have lost what it had received and not yet applied.
   */
  proven: v.nullable(v.string()),
});
export type Memory = v.InferOutput<typeof memorySchema>;

/**
 * Whether `a` replaces `b`. Of two records of one term, which only a cut between two nodes without a third voter can
 * make, the writer with the lower index wins, on both sides.
 */
export function replaces(a: Term, b: Term | null, indexOf: (node: string) => number): boolean {
  if (b === null || a.term !== b.term) return a.term > (b?.term ?? 0);
  return indexOf(a.writer) < indexOf(b.writer);
}

export class MemoryFile {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** An unreadable file is an error, not an empty memory: a forgotten term could make two writers. */
  async load(): Promise<Memory> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { term: null, proven: null };
      throw error;
    }
    return v.parse(memorySchema, JSON.parse(text));
  }

  /**
   * Durable when it returns: file and directory are synced. Synchronous, so that nothing else this agent does can
   * come between the decision and the disk.
   */
  save(memory: Memory): void {
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, "w", 0o600);
    try {
      writeSync(file, `${JSON.stringify(memory)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, this.#path);
    const directory = openSync(this.#directory, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }

  get #path(): string {
    return join(this.#directory, "term.json");
  }
}

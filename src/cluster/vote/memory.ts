import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failed } from "../../core/errors.ts";
import { termSchema } from "./term.ts";

/** What a member remembers of a single-writer role over restarts of its agent: as voter and, on its nodes, as guard. */
const memorySchema = v.object({
  /** The newest record that it granted, or took over from another voter. */
  term: v.nullable(termSchema),
  /**
   * The run of this node's server in which it was found to hold everything. A server that restarted since may have
   * lost what it had received and not yet applied. Null on members without the role.
   */
  proven: v.nullable(v.string()),
  /**
   * Another node became the writer after this one, and has not found this one level since. `protected`: no
   * client was told of anything that the other one lacks; `alone`: clients may have been. Noted with the very term.
   */
  outrun: v.optional(v.nullable(v.picklist(["protected", "alone"]))),
});
export type Memory = v.InferOutput<typeof memorySchema>;

/** Kept for the day on which the disk is full: more than any record needs. */
const reserveBytes = 64 << 10;

export class MemoryFile {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Room for a record, whatever else fills the disk. Once it was needed, it is there again after the next call. */
  keepReserve(): void {
    if (existsSync(this.#reserve)) return;
    try {
      writeFileSync(this.#reserve, Buffer.alloc(reserveBytes, 1), { mode: 0o600, flush: true });
    } catch {
      rmSync(this.#reserve, { force: true });
    }
  }

  /**
   * An unreadable file is an error, not an empty memory: a forgotten term could make two writers.
   * @throws ChimeError `vote.damaged`
   */
  async load(): Promise<Memory> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return { term: null, proven: null };
      throw error;
    }
    try {
      return v.parse(memorySchema, JSON.parse(text));
    } catch (cause) {
      throw failed("vote.damaged", `${this.#path} cannot be read as what this node has voted for`, {
        remedy:
          `while the other members are up, move ${this.#path} away and restart chime-node.service: ` +
          "this node has no vote until they told it again",
        cause,
      });
    }
  }

  /**
   * Durable when it returns: file and directory are synced. Synchronous, so that nothing else this agent does can
   * come between the decision and the disk. Where that is full the reserve goes for it.
   */
  save(memory: Memory): void {
    try {
      this.#write(memory);
    } catch (error) {
      if (!["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      rmSync(this.#reserve, { force: true });
      this.#write(memory);
    }
  }

  #write(memory: Memory): void {
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, "w", 0o600);
    try {
      // All of it or an error: a part of it would be renamed to a memory that cannot be read.
      writeFileSync(file, `${JSON.stringify(memory)}\n`);
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

  get #reserve(): string {
    return join(this.#directory, "reserve");
  }

  get #path(): string {
    return join(this.#directory, "term.json");
  }
}

import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { log } from "../../../core/log.ts";
import { makeParents, writeAtomically } from "../../../host/files.ts";

/** That objects may not be everywhere: known over restarts of the agent by a file that is there. */
export class Debt {
  readonly #path: string;
  #isOwed: boolean;
  /** What the disk says. */
  #isKept: boolean;
  #keeping: Promise<void> | undefined;
  /** Why it could not be kept when that was last tried. */
  #trouble: string | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#isOwed = existsSync(path);
    this.#isKept = this.#isOwed;
  }

  get isOwed(): boolean {
    return this.#isOwed;
  }

  owe(): Promise<void> {
    this.#isOwed = true;
    return this.keep();
  }

  settle(): Promise<void> {
    this.#isOwed = false;
    return this.keep();
  }

  /** To be called again and again: a disk that does not take it now may later. Never fails. */
  keep(): Promise<void> {
    this.#keeping ??= this.#keep().finally(() => (this.#keeping = undefined));
    return this.#keeping;
  }

  async #keep(): Promise<void> {
    try {
      // What it says may change while it is written.
      while (this.#isKept !== this.#isOwed) {
        const isOwed = this.#isOwed;
        if (isOwed) await this.#write();
        else await rm(this.#path, { force: true });
        this.#isKept = isOwed;
      }
      this.#trouble = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#trouble) log.warn(`minio: that drives were away is not kept: ${message}`);
      this.#trouble = message;
    }
  }

  async #write(): Promise<void> {
    await makeParents(this.#path);
    await writeAtomically(this.#path, "drives were away\n", { mode: 0o600, uid: 0, gid: 0 });
  }
}

import { mkdir, rmdir } from "node:fs/promises";
import { isMissing } from "../files.ts";

/**
 * Which of two comes first: dpkg, whose run must not be cut off, or whoever wants it not to begin. It is a directory, which
 * only one of them can make.
 */
export class Claim {
  readonly #path: string;

  /** @param record as of an `InstallRequest` */
  constructor(record: string) {
    this.#path = `${record}.claim`;
  }

  /** For a shell: fails where dpkg is not to begin any more. */
  get command(): string {
    return `mkdir ${this.#path}`;
  }

  /** Whether dpkg will not begin; false: it has begun. */
  async take(): Promise<boolean> {
    try {
      await mkdir(this.#path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
  }

  /** Before a run. */
  async clear(): Promise<void> {
    await rmdir(this.#path).catch((error: unknown) => {
      if (!isMissing(error)) throw error;
    });
  }
}

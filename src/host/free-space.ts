import { statfs } from "node:fs/promises";
import type { Clock } from "../core/clock.ts";
import { log } from "../core/log.ts";

/** Whom the room is for: file systems keep a share back (ext4: 5 %) that the system's user alone can fill. */
type Filler = "anybody" | "root";

/** Bytes that can still be written to the file system of `path`. @throws where it cannot be asked */
export async function freeBytes(path: string, filler: Filler = "anybody"): Promise<number> {
  const { bavail, bfree, bsize } = await statfs(path);
  return (filler === "root" ? bfree : bavail) * bsize;
}

interface WatchOptions {
  directory: string;
  filler: Filler;
  /** How old a look may become, ms. */
  everyMs: number;
  clock: Pick<Clock, "now">;
}

/** Looks at the room of a file system that nobody waits for: a disk that hangs must hold nobody up. */
export class SpaceWatch {
  readonly #options: WatchOptions;
  #looking = false;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Begins another look where the last one is old; `found` is told then what is free. */
  look(found: (free: number) => void): void {
    const { clock, everyMs } = this.#options;
    if (!this.#looking && clock.now() - this.#lookedAt >= everyMs) void this.#look(found);
  }

  async #look(found: (free: number) => void): Promise<void> {
    const { clock, directory, filler } = this.#options;
    this.#looking = true;
    this.#lookedAt = clock.now();
    try {
      found(await freeBytes(directory, filler));
    } catch (error) {
      log.debug(`${directory}:`, error);
    } finally {
      this.#looking = false;
    }
  }
}

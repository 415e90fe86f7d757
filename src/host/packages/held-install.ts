import { rm } from "node:fs/promises";
import type { OnAbort } from "../../core/exec.ts";
import { paths } from "../../core/paths.ts";
import { writeAtomically } from "../files.ts";
import type { Ran } from "./logged-run.ts";
import type { PackageSet } from "./types.ts";

/** A hook's wait for our word, which comes on standard input: where that ends without, the hook fails, and apt with it. */
export const gate = "read go";
/** For two hooks. */
const word = "go\ngo\n";

/**
 * The first hook of all, as a file that apt reads before the system's own configuration (apt.conf(5)): others may do
 * anything. One there may clear this list, so the hook that records the names waits, too.
 */
const first = { path: `${paths.run}/apt-hold.conf`, content: `DPkg::Pre-Invoke { "${gate}"; };\n` };

/** How apt is run so that it waits. */
export interface Hold {
  stdin: Promise<string>;
  env: Record<string, string>;
  onAbort: () => OnAbort;
}

/**
 * An `apt-get install` that finds and fetches all it needs and then waits, with the lock, before it changes anything but
 * apt's caches. It goes on at our word alone: where we are killed, its input ends.
 */
export class HeldInstall {
  readonly #word = Promise.withResolvers<string>();
  readonly #ran: Promise<Ran>;
  readonly #names: readonly string[];
  #isGiven = false;

  private constructor({ names }: PackageSet, run: (hold: Hold) => Promise<Ran>) {
    this.#names = names;
    this.#ran = run({
      stdin: this.#word.promise,
      env: { APT_CONFIG: first.path },
      // A maintainer script that is killed may be beyond repair; before, nothing is lost.
      onAbort: () => (this.#isGiven ? "leave" : "kill"),
    });
    // Told where it is asked for.
    this.#ran.catch(() => undefined);
  }

  /** @param run starts it; it may end at any time, where it cannot be done */
  static async begin(wanted: PackageSet, run: (hold: Hold) => Promise<Ran>): Promise<HeldInstall> {
    await writeAtomically(first.path, first.content, { uid: 0, gid: 0, mode: 0o644 });
    return new HeldInstall(wanted, async (hold) => {
      try {
        return await run(hold);
      } finally {
        await rm(first.path, { force: true });
      }
    });
  }

  /** Whether it installs these, and nothing else that somebody asked for. */
  isFor({ names }: PackageSet): boolean {
    return names.length === this.#names.length && names.every((name) => this.#names.includes(name));
  }

  /** Lets it go on, to its end. @throws ChimeError `interrupted` where it is left to go on by itself */
  go(): Promise<Ran> {
    this.#isGiven = true;
    this.#word.resolve(word);
    return this.#ran;
  }

  /** Nobody wants it any more. */
  async end(): Promise<void> {
    this.#word.resolve("");
    await this.#ran.catch(() => undefined);
  }
}

import { createHash } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "../../scripts/cache.ts";
import { exec } from "../../src/core/exec.ts";
import { LabUnavailable } from "./prerequisites.ts";

/** Minutes of compiling take long beside other labs. */
const timeoutMs = 2_700_000;

interface Wanted {
  /** Begins the directory's name; the rest is a digest of the script and its words, so that other ones make another. */
  name: string;
  /** For people: what it is. */
  what: string;
  /**
   * $1 is the directory, which it makes beside its place and renames at its end: a killed run is invisible. It runs under
   * flock(1): a second lab waits, and it has to find then that the work is done.
   */
  script: string;
  /** $2 and on. */
  words?: readonly string[];
  /** It mounts something: that goes with it, however it ends. */
  mounts?: boolean;
  /** What this machine adds to the script's environment; another machine's makes no other directory. */
  env?: Record<string, string>;
  /** Where its parts come from. */
  source?: string;
}

/**
 * A directory in the cache that takes minutes to make from what is downloaded, and is there from then on.
 * @throws LabUnavailable when its parts cannot be had
 */
export async function builtOnce(wanted: Wanted, progress: (line: string) => void): Promise<string> {
  const {
    name,
    what,
    script,
    words = [],
    mounts = false,
    env,
    source = "the distribution's packages",
  } = wanted;
  const key = createHash("sha256")
    .update([script, ...words].join("\n"))
    .digest("hex")
    .slice(0, 12);
  const directory = join(cacheDirectory(), `${name}-${key}`);
  if (await stat(directory).catch(() => undefined)) return directory;
  await mkdir(cacheDirectory(), { recursive: true });
  progress(`building ${what} in ${directory} (once)`);
  const alone = mounts ? ["unshare", "--mount", "--propagation", "private"] : [];
  const argv = ["flock", `${directory}.lock`, ...alone, "sh", "-c", script, "sh", directory, ...words];
  const { code, stderr } = await exec(argv, { timeoutMs, ok: "any", env });
  if (code === 0) return directory;
  const lines = stderr.split("\n").map((line) => line.trim());
  const cause = lines.find((line) => /failed to fetch|could not|no space|failure resolving/i.test(line));
  const why = cause ?? lines.find((line) => /^E:|error:/i.test(line)) ?? `exit ${code}`;
  throw new LabUnavailable(`${what} could not be built from ${source} (is the network there?): ${why}`);
}

/** The same; undefined, and said why, where its parts cannot be had. */
export async function builtIfPossible(
  wanted: Wanted,
  progress: (line: string) => void,
): Promise<string | undefined> {
  try {
    return await builtOnce(wanted, progress);
  } catch (error) {
    if (!(error instanceof LabUnavailable)) throw error;
    progress(error.message);
    return undefined;
  }
}

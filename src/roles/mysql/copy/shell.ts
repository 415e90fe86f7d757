import { exec } from "../../../core/exec.ts";
import { asServer } from "./program.ts";

/** Deleting or syncing the files of a large server takes its time. */
const longestMs = 3_600_000;

/**
 * Runs a shell script as the server's user and returns what it printed: in the data directory root moves and removes
 * nothing itself. Arguments are $1, $2, …
 */
export async function serverShell(
  user: string,
  script: string,
  args: readonly string[],
  options: { stdin?: string; signal?: AbortSignal } = {},
): Promise<string> {
  const argv = asServer(user, ["sh", "-euc", script, "sh", ...args]);
  const { stdout } = await exec(argv, { ...options, timeoutMs: longestMs });
  return stdout;
}

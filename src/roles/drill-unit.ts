import { exec } from "../core/exec.ts";

/** How long something is broken, s. */
export const lastsSeconds = 5;

/** It ends by itself long before. */
const atMostSeconds = 30;

/**
 * One file takes all that is left in the directory `$1`, also what is deleted meanwhile. It has no name, so that its space is
 * free again as soon as nobody holds it open, after a power cut too.
 */
export const fullDisk = `
    exec 3>"$1/.chime-node-drill" && rm "$1/.chime-node-drill" || exit
    end=$(($(date +%s) + ${lastsSeconds}))
    while [ "$(date +%s)" -lt "$end" ]; do
      for step in 1T 64G 4G 256M 16M 1M 64K 4K; do
        while fallocate --offset "$(stat -Lc %s /dev/fd/3)" --length $step /dev/fd/3; do :; done 2>/dev/null
      done
      sleep 0.1
    done`;

/**
 * Breaks something of this node as a rehearsal, and returns when it is over. It is a unit of its own: whatever becomes of the
 * drill and of the agent, systemd ends it and puts right what was broken.
 * @param script of the shell; `word` is its `$1`
 * @param mend a command, its program with its path
 * @throws ChimeError `exec.failed`, also where one is under way
 */
export async function breakFor(script: string, word: string, mend?: readonly string[]): Promise<void> {
  const properties = [`RuntimeMaxSec=${atMostSeconds}`, ...(mend ? [`ExecStopPost=${mend.join(" ")}`] : [])];
  const set = properties.map((property) => `--property=${property}`);
  const options = ["--quiet", "--collect", "--wait", "--unit=chime-node-drill"];
  await exec(["systemd-run", ...options, ...set, "--", "/bin/sh", "-c", script, "sh", word]);
}

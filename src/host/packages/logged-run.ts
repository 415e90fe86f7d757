import { open } from "node:fs/promises";
import { systemClock } from "../../core/clock.ts";
import { ChimeError, Exit } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";
import { fileError, isMissing } from "../files.ts";
import type { PackageWork } from "./types.ts";

interface LoggedRun {
  argv: readonly string[];
  /** Everything that it prints is added here. */
  log: string;
  env: Record<string, string>;
  work: PackageWork;
  /** What a line of the output tells, if it is worth telling. */
  step: (line: string) => string | undefined;
  /** Left alone by an abort it goes on by itself. */
  onAbort: "kill" | "leave";
  /** Ends it in any case. */
  kill?: AbortSignal;
  cwd?: string | undefined;
}

/** The longest a run may take; beyond it something hangs. */
const runTimeoutMs = 3_600_000;
const logPollMs = 250;

/**
 * Runs a package tool with its output in the log, and tells its steps from there.
 * @throws ChimeError `interrupted` where it is left to go on by itself
 */
export async function runLogged(run: LoggedRun): Promise<{ code: number; output: string }> {
  const { argv, log, env, work, onAbort, kill, cwd } = run;
  work.signal.throwIfAborted();
  const from = await sizeOf(log);
  const shell = ["/bin/sh", "-c", 'log=$1; shift; exec "$@" >>"$log" 2>&1', "sh", log, ...argv];
  const done = new AbortController();
  const telling = tell(run, from, done.signal);
  try {
    const { signal } = work;
    const { code } = await exec(shell, {
      ok: "any",
      env,
      timeoutMs: runTimeoutMs,
      signal,
      onAbort,
      kill,
      cwd,
    });
    return { code, output: await tail(log, from) };
  } catch (error) {
    if (!work.signal.aborted || onAbort === "kill" || kill?.aborted) throw error;
    throw new ChimeError(
      Exit.interrupted,
      "interrupted",
      `interrupted; ${argv[0]} goes on by itself, because packages that are cut off half-way may be beyond repair`,
      { remedy: "run the same command again: it waits for that and finishes what is left" },
    );
  } finally {
    done.abort();
    await telling;
  }
}

async function tell({ log, work, step }: LoggedRun, from: number, done: AbortSignal): Promise<void> {
  let told = "";
  while (!done.aborted) {
    const lines = (await tail(log, from)).split("\n");
    const newest = lines.map(step).findLast((line) => line !== undefined);
    if (newest && newest !== told) work.progress(newest);
    told = newest ?? told;
    await systemClock.sleep(logPollMs, done).catch(() => undefined);
  }
}

/** One run prints tens of kilobytes; more of it is of no use. */
const largestTail = 256 << 10;

async function sizeOf(path: string): Promise<number> {
  return (await Bun.file(path).exists()) ? Bun.file(path).size : 0;
}

/** What was written to the log since byte `from`. */
async function tail(log: string, from: number): Promise<string> {
  try {
    const handle = await open(log, "r");
    try {
      const { size } = await handle.stat();
      const start = Math.max(from, size - largestTail);
      const buffer = Buffer.alloc(Math.max(0, size - start));
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, start);
      return buffer.subarray(0, bytesRead).toString("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return "";
    throw fileError(log, error);
  }
}

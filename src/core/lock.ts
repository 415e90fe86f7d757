import { dlopen } from "bun:ffi";
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "./clock.ts";
import { refused } from "./errors.ts";
import { paths } from "./paths.ts";

/** Holder name of the agent's own short runs: the command line waits for these instead of giving up. */
export const agentHolder = "the agent's reconcile";

/** How long a command waits for the agent's run, in ms. */
const patienceMs = 60_000;

/**
 * Holds a machine-wide lock while `work` runs. The kernel frees it when the holder dies, so there is no stale lock;
 * the file only tells who holds it. It lies where root alone comes: anybody who may open a file may lock it, and
 * anybody may take an abstract socket.
 * @throws ChimeError `lock.held` (exit 3)
 */
export async function withLock<T>(
  name: string,
  holder: string,
  work: () => Promise<T>,
  directory: string = paths.run,
): Promise<T> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${name}.lock`);
  const giveUp = systemClock.now() + patienceMs;
  let fd = take(path, holder);
  while (fd === undefined) {
    const other = readFileSync(path, "utf8").slice(0, longestHolder);
    const passing = other === "" || other.startsWith(agentHolder);
    if (holder === agentHolder || !passing || systemClock.now() > giveUp) {
      throw refused("lock.held", `another chime-node run is at work on this node: ${other || "unknown"}`, {
        remedy: "wait for it to finish, then run this again",
      });
    }
    await systemClock.sleep(50);
    fd = take(path, holder);
  }
  try {
    return await work();
  } finally {
    ftruncateSync(fd);
    closeSync(fd);
  }
}

const longestHolder = 200;

/** flock(2). */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** The open file that is the lock; undefined when somebody else holds it. Children do not inherit it (O_CLOEXEC). */
function take(path: string, holder: string): number | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  if (!tryLock(fd)) {
    closeSync(fd);
    return undefined;
  }
  writeSync(fd, `${holder} (pid ${process.pid})`, 0);
  return fd;
}

/** Takes flock(2)'s exclusive lock on an open file, freed when that is closed; false when somebody else holds it. */
export function tryLock(fd: number): boolean {
  return libc().flock(fd, LOCK_EX | LOCK_NB) === 0;
}

let symbols: ReturnType<typeof load> | undefined;

function libc(): ReturnType<typeof load> {
  return (symbols ??= load());
}

function load() {
  return dlopen("libc.so.6", { flock: { args: ["i32", "i32"], returns: "i32" } }).symbols;
}

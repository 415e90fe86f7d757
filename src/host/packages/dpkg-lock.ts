import { readdir, readFile, readlink } from "node:fs/promises";
import { systemClock, type Clock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import { isMissing } from "../files.ts";
import type { PackageWork } from "./types.ts";

/** Held by every front end for its whole run, by dpkg for its own, and by `apt-get update` (apt.conf(5)). */
const lockFiles = [
  "/var/lib/dpkg/lock-frontend",
  "/var/lib/dpkg/lock",
  "/var/lib/apt/lists/lock",
  "/var/cache/apt/archives/lock",
];

/** Pure: the processes with a POSIX write lock, from /proc/locks (proc(5)). */
export function parseLockHolders(text: string): number[] {
  const pids = text.split("\n").flatMap((line) => {
    const [, kind, , access, pid] = line.split(/\s+/);
    return kind === "POSIX" && access === "WRITE" && Number(pid) > 0 ? [Number(pid)] : [];
  });
  return [...new Set(pids)];
}

/**
 * Who holds dpkg's or apt's lock, e.g. `apt-get (pid 4711)`. Told by the open files of processes that hold a lock:
 * inode numbers in /proc/locks are not those of stat(2) on overlay file systems.
 */
export async function lockHolder(): Promise<string | undefined> {
  const pids = parseLockHolders(await readFile("/proc/locks", "utf8"));
  for (const pid of pids) {
    const name = await nameOf(pid);
    try {
      const descriptors = await readdir(`/proc/${pid}/fd`);
      const links = await Promise.all(
        descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")),
      );
      // The agent may not look into processes with more privileges than its own (ptrace(2)): their names tell.
      const isHidden = links.every((link) => link === "");
      if (!links.some((link) => lockFiles.includes(link)) && !(isHidden && frontEnds.test(name))) continue;
      return `${name} (pid ${pid})`;
    } catch (error) {
      if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  return undefined;
}

/** As /proc/PID/comm has them: 15 characters at most. */
const frontEnds = /^(apt|apt-get|aptitude|dpkg|unattended-upgr|packagekitd|synaptic)$/;

/** Empty where the process has ended. */
async function nameOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim();
}

/** Automatic upgrades of a whole release take minutes, not hours. */
const patienceMs = 15 * 60_000;
const pollMs = 300;

/** Waits until nobody holds the lock, saying who does. @throws ChimeError `packages.locked` */
export async function waitForLock(
  work: PackageWork,
  holderOf: () => Promise<string | undefined> = lockHolder,
  clock: Clock = systemClock,
): Promise<void> {
  const started = clock.now();
  let told: string | undefined;
  for (;;) {
    const holder = await holderOf();
    if (!holder) return;
    if (clock.now() - started > patienceMs) {
      throw failed(
        "packages.locked",
        `${holder} has held the package lock for ${patienceMs / 60_000} minutes`,
        {
          remedy: "wait for it to finish or end it, then run this again",
        },
      );
    }
    if (holder !== told) work.progress(`waiting for ${holder} to release the package lock`);
    told = holder;
    await clock.sleep(pollMs, work.signal);
  }
}

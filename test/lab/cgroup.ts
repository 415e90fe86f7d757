import { accessSync, constants, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { waitUntil } from "./wait.ts";

/**
 * Where process groups are kept: the unified hierarchy, and on a hybrid host systemd's own named one too.
 * Each lab has a cgroup there and each node one below it: nspawn makes its `payload` inside that, so that two nodes
 * never share one, and whatever a node left running can be found and ended without knowing any pid.
 */
function hierarchies(): string[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" "));
  return mounts
    .filter(
      ([, , type, options = ""]) =>
        type === "cgroup2" || (type === "cgroup" && options.includes("name=systemd")),
    )
    .map(([, path = ""]) => path);
}

const prefix = "chime-node-lab-";

/** False in a container that may not make cgroups, root or not. */
export function cgroupsWritable(): boolean {
  try {
    const found = hierarchies();
    for (const root of found) accessSync(root, constants.W_OK);
    return found.length > 0;
  } catch {
    return false;
  }
}

/** Makes the cgroup `name` ("LAB" or "LAB/NODE") and returns the files that a process writes its pid into to enter. */
export async function createCgroup(name: string): Promise<string[]> {
  const directories = hierarchies().map((root) => join(root, `${prefix}${name}`));
  for (const directory of directories) await mkdir(directory, { recursive: true });
  return directories.map((directory) => join(directory, "cgroup.procs"));
}

/** argv that enters the cgroup and then becomes `argv`, under the same pid. */
export function inCgroup(procs: readonly string[], argv: readonly string[]): string[] {
  const enter = procs.map((_, i) => `echo $$ >"$${i + 1}"`).join(" && ");
  return ["sh", "-c", `${enter} && shift ${procs.length} && exec "$@"`, "sh", ...procs, ...argv];
}

/** SIGKILLs everything in the cgroup and below it, waits until it is gone, and removes it. */
export async function destroyCgroup(name: string): Promise<void> {
  for (const root of hierarchies()) {
    const directory = join(root, `${prefix}${name}`);
    await waitUntil(`the processes of ${name} to end`, 20_000, async () => {
      const pids = await members(directory);
      for (const pid of pids) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // ESRCH: it ended between the listing and here.
        }
      }
      return pids.length === 0;
    });
    await removeTree(directory);
  }
}

async function subdirectories(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}

async function members(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, "cgroup.procs"), "utf8").catch(() => "");
  const pids = text.split("\n").filter(Boolean).map(Number);
  for (const child of await subdirectories(directory)) pids.push(...(await members(child)));
  // Pid 0 is a process outside this pid namespace: not ours to signal.
  return pids.filter((pid) => pid > 1);
}

async function removeTree(directory: string): Promise<void> {
  for (const child of await subdirectories(directory)) await removeTree(child);
  // EBUSY for a moment after the last process has gone; what is left then is empty and harmless.
  for (let attempt = 0; attempt < 20; attempt++) {
    const gone = await rmdir(directory).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === "ENOENT",
    );
    if (gone) return;
    await Bun.sleep(20);
  }
}

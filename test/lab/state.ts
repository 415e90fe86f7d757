import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../src/core/exec.ts";
import { cacheDirectory } from "../../scripts/cache.ts";
import { destroyCgroup } from "./cgroup.ts";
import { Network } from "./network.ts";

/**
 * What a lab makes on the host is named after its id: cgroup, namespaces, directory. The owner file makes it possible
 * for the next run to take down what a killed one left; nothing else needs to be remembered.
 */
const ownerFile = (id: string) => `/run/chime-node-lab-${id}.json`;

/** nspawn makes an empty directory per machine name here and leaves it. */
const nspawnDirectory = "/run/systemd/nspawn/propagate";

interface Owner {
  pid: number;
  /** Start time in clock ticks since boot (proc(5), stat field 22): a pid alone may have been given to another. */
  start: string;
  work: string;
}

/** Registers a new lab of this process and returns its working directory. */
export async function register(id: string): Promise<string> {
  const work = join(cacheDirectory(), "labs", id);
  const owner: Owner = { pid: process.pid, start: (await startTime(process.pid)) ?? "", work };
  await writeFile(`${ownerFile(id)}.new`, JSON.stringify(owner));
  await rename(`${ownerFile(id)}.new`, ownerFile(id));
  await mkdir(work, { recursive: true });
  return work;
}

/** Takes down every lab whose process is gone. */
export async function sweep(progress: (line: string) => void): Promise<void> {
  for (const name of await readdir("/run")) {
    const id = /^chime-node-lab-(\w+)\.json$/.exec(name)?.[1];
    if (id === undefined) continue;
    const text = await readFile(ownerFile(id), "utf8").catch(() => undefined);
    // Its owner has removed it at the same moment.
    if (text === undefined) continue;
    const owner = JSON.parse(text) as Owner;
    if ((await startTime(owner.pid)) === owner.start) continue;
    progress(`removing what a killed lab left (pid ${owner.pid})`);
    await tearDown(id, owner.work);
  }
}

/** Removes all that a lab made; whatever is already gone is no error. The owner file goes last. */
export async function tearDown(id: string, work: string): Promise<void> {
  // A frozen file system would hold its writers, even against SIGKILL.
  for (const mount of await mountsBelow(work)) await exec(["fsfreeze", "--unfreeze", mount], { ok: "any" });
  await destroyCgroup(id);
  for (const mount of await mountsBelow(work)) await exec(["umount", mount], { ok: "any" });
  for (const mount of await mountsBelow(work)) await exec(["umount", "--lazy", mount], { ok: "any" });
  await detachLoops(work);
  const { prefix } = new Network(id);
  for (const name of await readdir("/run/netns").catch(() => [])) {
    if (name.startsWith(`${prefix}-`)) await exec(["ip", "netns", "del", name], { ok: "any" });
  }
  for (const name of await readdir(nspawnDirectory).catch(() => [])) {
    if (name.startsWith(`${prefix}-`)) await rmdir(join(nspawnDirectory, name)).catch(() => {});
  }
  await exec(["rm", "-rf", "--one-file-system", work], { timeoutMs: 120_000 });
  await rm(ownerFile(id), { force: true });
}

/** Mount points below a directory, the deepest first. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const lines = (await readFile("/proc/self/mounts", "utf8")).split("\n");
  // proc_pid_mounts(5): space, tab, newline and backslash are written in octal.
  const mounts = lines.map((line) =>
    (line.split(" ")[1] ?? "").replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    ),
  );
  return mounts.filter((mount) => mount.startsWith(`${directory}/`)).toReversed();
}

/** Loop devices of files below `work`, and before them those that lie on such a one. */
async function detachLoops(work: string): Promise<void> {
  const list = await exec(["losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE"], { ok: "any" });
  const files = new Map<string, string>();
  for (const line of list.stdout.split("\n")) {
    const [device = "", ...words] = line.trim().split(/\s+/);
    if (device !== "") files.set(device, words.join(" "));
  }
  const isOurs = (device: string): boolean => {
    const file = files.get(device) ?? "";
    return file.startsWith(`${work}/`) || (files.has(file) && isOurs(file));
  };
  const depth = (device: string): number => 1 + (files.has(device) ? depth(files.get(device) ?? "") : 0);
  const found = [...files.keys()].filter(isOurs).toSorted((a, b) => depth(b) - depth(a));
  for (const device of found) await exec(["losetup", "--detach", device], { ok: "any" });
}

async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The name may contain spaces and parentheses: count the fields after its last one.
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
}

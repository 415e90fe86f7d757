import { readFile } from "node:fs/promises";

/** Where haproxy's units have its first process write its number, on every system of the catalog. */
const pidFile = "/run/haproxy.pid";

/** haproxy's first process, which tells the others; undefined where none runs. A file that was left behind names none. */
export async function mainProcess(unit: string, path: string = pidFile): Promise<number | undefined> {
  const pid = Number((await readFile(path, "utf8").catch(() => "")).trim());
  return pid > 0 && (await isOf(unit, pid)) ? pid : undefined;
}

/** Whether the process runs and is one of the unit's (cgroups(7)): numbers are used again. */
export async function isOf(unit: string, pid: number): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, "utf8").catch(() => "");
  return groups.split("\n").some((line) => line.endsWith(`/${unit}`));
}

import { readFileSync } from "node:fs";
import { exec } from "../core/exec.ts";
import { parseMounts, type Mount } from "./disks/tables.ts";

/** What is mounted at a path in our own mount namespace, on top where several are. */
export function mountedAt(path: string): Mount | undefined {
  return parseMounts(readFileSync("/proc/self/mountinfo", "utf8")).findLast(({ target }) => target === path);
}

/** Whether nothing can be written at a path, since its file system is read-only, or the mount of it that we see. */
export function isReadOnly(path: string, mountinfo = readFileSync("/proc/self/mountinfo", "utf8")): boolean {
  const around = parseMounts(mountinfo).filter(({ target }) =>
    `${path}/`.startsWith(target === "/" ? target : `${target}/`),
  );
  // The innermost one, and on top where several are at one place.
  return around.toSorted((a, b) => a.target.length - b.target.length).at(-1)?.readOnly === true;
}

/** umount(8) waits for a disk that does not answer any more, and cannot be killed meanwhile. */
const unmountMs = 20_000;

/**
 * Takes away what is mounted at a path; where it is still in use, for everybody who comes from now on.
 * @throws ChimeError `exec.failed`
 */
export async function unmount(path: string): Promise<void> {
  const patience = { signal: AbortSignal.timeout(unmountMs), onAbort: "leave" } as const;
  await exec(["umount", path], { ok: "any", ...patience }).catch(() => undefined);
  if (mountedAt(path)) await exec(["umount", "--lazy", path]);
}

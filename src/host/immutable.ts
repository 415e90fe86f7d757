import { exec } from "../core/exec.ts";

/** Whether nobody, root included, can make anything in a directory (chattr(1), `i`). @throws ChimeError `exec.failed` */
export async function isImmutable(directory: string): Promise<boolean> {
  const { stdout } = await exec(["lsattr", "-d", directory]);
  return stdout.split(" ", 1)[0]?.includes("i") ?? false;
}

/** @throws ChimeError `exec.failed` where the file system has no such attribute */
export async function setImmutable(directory: string, immutable: boolean): Promise<void> {
  await exec(["chattr", immutable ? "+i" : "-i", directory]);
}

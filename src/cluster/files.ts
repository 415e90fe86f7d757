import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { paths } from "../core/paths.ts";

/** Where a node keeps what it knows of its cluster; tests give directories of their own. */
export interface ClusterFiles {
  /** 0700: keys, certificates, identity. */
  pki: string;
  /** secrets.toml, 0600. */
  secrets: string;
  /** cluster.json: members, tokens and the spec as last known. */
  state: string;
}

export const clusterFiles: ClusterFiles = {
  pki: paths.pki,
  secrets: paths.secretsToml,
  state: `${paths.state}/cluster.json`,
};

/** Replaces a file in one step and durably: a reader or a power cut sees the old content or the new, never a part. */
export async function writeAtomic(path: string, content: string, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Removes a file, and what killed runs left of writing it: that holds the same secrets. */
export async function removeWhole(path: string): Promise<void> {
  const names = await readdir(dirname(path)).catch(() => []);
  const rests = names.filter((name) => name.startsWith(`${basename(path)}.`) && name.endsWith(".tmp"));
  for (const name of [...rests, basename(path)]) await rm(join(dirname(path), name), { force: true });
}

/** Returns undefined where there is no such file. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

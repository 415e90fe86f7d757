import { constants } from "node:fs";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  type FileHandle,
} from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { type ChimeError, failed } from "../core/errors.ts";
import { inTurns } from "../core/in-turns.ts";
import { relabel } from "./selinux.ts";

export interface Ownership {
  /** Permission bits, e.g. 0o644. */
  mode: number;
  uid: number;
  gid: number;
}

/** Files of ours and those that we replace are configuration; anything larger is something else. */
const largestFile = 4 << 20;

/**
 * The text of a file, or undefined where there is none. What stands in a directory of a service's own user may be
 * anything by now: a FIFO would hold us for ever, a device would never end.
 * @throws ChimeError `file.too_large`, `file.not_a_file`, `host.*`
 */
export async function readText(path: string, largest = largestFile): Promise<string | undefined> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const info = await handle.stat();
      if (!info.isFile()) throw failed("file.not_a_file", `${path} exists and is not a regular file`);
      if (info.size > largest) throw failed("file.too_large", `${path} is larger than ${largest} bytes`);
      return await handle.readFile("utf8");
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw fileError(path, error);
  }
}

/** Where a write of `path` puts the new content first. One name, so that a killed run's rest is overwritten. */
export function temporaryOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.chime-new`);
}

/**
 * Replaces a file as one act: temporary file beside it, fsync, rename, fsync of the directory. A symbolic link is
 * replaced, not followed.
 * @throws ChimeError `host.read_only`, `host.no_space`, `file.failed`; then the old file is as it was
 */
export async function writeAtomically(
  path: string,
  content: string | Uint8Array,
  as: Ownership,
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await rm(temporary, { force: true });
    const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      await handle.writeFile(content);
      await handle.chown(as.uid, as.gid);
      await handle.chmod(as.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncPath(dirname(path));
    await relabel(path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fileError(path, error);
  }
}

/** All of the bytes at their place: the kernel may take a part of them, where the disk is nearly full. */
export async function writeAt(
  handle: Pick<FileHandle, "write">,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** A file or a directory, durably. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Open at once: enough for one commit of the file system's journal to take many. */
const syncedAtOnce = 32;

/** A directory with all that is in it, durably; whatever else waits for that file system's disk is not waited for. */
export async function syncTree(path: string): Promise<void> {
  const all = [path, ...(await readdir(path, { recursive: true })).map((name) => join(path, name))];
  await inTurns(all, syncedAtOnce, syncPath);
}

/** Makes the directories that a file of ours is to stand in, where they are missing. */
export async function makeParents(path: string): Promise<void> {
  for (const directory of await missingDirectories(dirname(path))) {
    await makeDirectory(directory, { mode: 0o755, uid: 0, gid: 0 });
  }
}

/** Those of `path` and its ancestors that do not exist yet, outermost first. */
export async function missingDirectories(path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    const exists = await lstat(at).then(
      () => true,
      (error: unknown) => {
        if (isMissing(error)) return false;
        throw fileError(at, error);
      },
    );
    if (exists) break;
    missing.unshift(at);
  }
  return missing;
}

/** A directory of our own, 0700, with those above it. */
export async function makePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw fileError(path, error);
  });
}

let turn: Promise<unknown> = Promise.resolve();

/**
 * Makes a directory, or gives an existing one this mode and owner. A new one appears with them (rename): a kill in
 * between must not leave it with others that nobody would look at again. One at a time, for the temporary's sake.
 */
export function makeDirectory(path: string, as: Ownership): Promise<void> {
  const next = turn.then(() => placeDirectory(path, as));
  turn = next.catch(() => undefined);
  return next;
}

async function placeDirectory(path: string, as: Ownership): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    const exists = (await missingDirectories(path)).length === 0;
    const at = exists ? path : temporary;
    if (!exists) {
      await removeEmptyDirectories([temporary]);
      await mkdir(temporary, { mode: 0o700 });
    }
    await chown(at, as.uid, as.gid);
    await chmod(at, as.mode);
    if (!exists) await rename(temporary, path);
  } catch (error) {
    throw fileError(path, error);
  }
}

/** Removes directories that are empty, innermost first; one with something in it stays. */
export async function removeEmptyDirectories(directories: readonly string[]): Promise<void> {
  const all = directories.flatMap((path) => [path, temporaryOf(path)]);
  for (const path of all.sort((a, b) => b.length - a.length)) {
    await rmdir(path).catch((error: NodeJS.ErrnoException) => {
      if (!["ENOTEMPTY", "EEXIST", "ENOENT", "EBUSY"].includes(error.code ?? ""))
        throw fileError(path, error);
    });
  }
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === "ENOENT" || code === "ENOTDIR";
}

/** What a failed system call on a path means for the operator. */
export function fileError(path: string, error: unknown): ChimeError | Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "EROFS") {
    return failed("host.read_only", `${path} is on a read-only file system`, {
      remedy: `make it writable (mount -o remount,rw), then run this again`,
      cause: error,
    });
  }
  if (code === "ENOSPC" || code === "EDQUOT") {
    return failed("host.no_space", `no space left on the file system of ${path}`, {
      remedy: "free some space (df -h), then run this again",
      cause: error,
    });
  }
  if (typeof code !== "string" || !code.startsWith("E")) return error as Error;
  // Node says: ENOENT: no such file or directory, open '/path'
  const words = message.replace(/^E[A-Z]+: /, "").replace(/, \w+( '.*)?$/, "");
  return failed("file.failed", `${path}: ${words}`, { cause: error });
}

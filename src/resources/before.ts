import { createHash } from "node:crypto";
import { chmod, lstat, readFile, readlink, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import * as v from "valibot";
import { failed } from "../core/errors.ts";
import {
  fileError,
  isMissing,
  makePrivateDirectory,
  missingDirectories,
  removeEmptyDirectories,
  temporaryOf,
  writeAtomically,
} from "../host/files.ts";

/** What was at a path before the first apply, as the ledger keeps it. */
const beforeSchema = v.object({
  /** Directories that did not exist either and were made for it, outermost first. */
  directories: v.array(v.string()),
  was: v.variant("type", [
    v.object({ type: v.literal("absent") }),
    v.object({ type: v.literal("link"), target: v.string() }),
    v.object({
      type: v.literal("file"),
      mode: v.number(),
      uid: v.number(),
      gid: v.number(),
      /** The copy in the ledger's `backups`. */
      copy: v.string(),
    }),
  ]),
});
type Before = v.InferOutput<typeof beforeSchema>;

/** Looks at what is at `path` and keeps a copy of a file. @throws ChimeError `file.not_a_file` */
export async function remember(path: string, backups: string): Promise<Before> {
  const directories = await missingDirectories(join(path, ".."));
  const info = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw fileError(path, error);
  });
  if (!info) return { directories, was: { type: "absent" } };
  if (info.isSymbolicLink()) return { directories, was: { type: "link", target: await readlink(path) } };
  if (!info.isFile()) throw failed("file.not_a_file", `${path} exists and is not a regular file`);
  await makePrivateDirectory(backups);
  const copy = join(
    backups,
    `${basename(path)}.${createHash("sha256").update(path).digest("hex").slice(0, 12)}`,
  );
  await writeAtomically(copy, await readFile(path), { mode: 0o600, uid: 0, gid: 0 });
  return {
    directories,
    was: { type: "file", mode: info.mode & 0o7777, uid: info.uid, gid: info.gid, copy },
  };
}

/** Where the program that was at the path can be run now; undefined where there was none. */
export async function runnable(path: string, noted: unknown): Promise<string | undefined> {
  const { was } = v.parse(beforeSchema, noted);
  if (was.type === "link") return resolve(dirname(path), was.target);
  if (was.type === "absent" || (was.mode & 0o111) === 0) return undefined;
  await chmod(was.copy, 0o700);
  return was.copy;
}

/** Puts back what `remember` saw. */
export async function restore(path: string, noted: unknown): Promise<void> {
  const { directories, was } = v.parse(beforeSchema, noted);
  await rm(temporaryOf(path), { force: true });
  if (was.type === "absent") await remove(path);
  else if (was.type === "link") {
    await remove(path);
    await symlink(was.target, path);
  } else await writeAtomically(path, await readFile(was.copy), was);
  await removeEmptyDirectories(directories);
}

async function remove(path: string): Promise<void> {
  await rm(path, { force: true }).catch((error: unknown) => {
    if (!isMissing(error)) throw fileError(path, error);
  });
}

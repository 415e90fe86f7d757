import { createHash } from "node:crypto";
import { link, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as v from "valibot";
import {
  isMissing,
  makePrivateDirectory,
  readText,
  syncPath,
  temporaryOf,
  writeAtomically,
} from "../host/files.ts";

/**
 * What a service was last seen to accept: which run of it (systemd's InvocationID), the hashes of the files it had
 * read, and copies of them, to go back to when it refuses the next ones.
 */
const stampSchema = v.object({
  invocation: v.string(),
  restart: v.string(),
  reload: v.string(),
  files: v.array(
    v.object({
      path: v.string(),
      mode: v.number(),
      uid: v.number(),
      gid: v.number(),
      copy: v.string(),
      /** The program of which it tells. */
      program: v.optional(v.string()),
    }),
  ),
});
export interface Stamp extends v.InferOutput<typeof stampSchema> {
  /** ms since the epoch. */
  acceptedAt: number;
}

/** `directory` is the ledger's `backups`; a stamp that cannot be read counts as none. */
export async function readStamp(directory: string, unit: string): Promise<Stamp | undefined> {
  const path = join(directory, `${unit}.json`);
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return { ...v.parse(stampSchema, JSON.parse(text)), acceptedAt: await changedAt([path]) };
  } catch {
    return undefined;
  }
}

/** A program is too large to be copied, and is replaced, never written to: it is kept as a hard link beside it. */
export const acceptedOf = (program: string): string => `${program}.accepted`;

/** Of the secret ones among the files there is no copy. */
export async function writeStamp(
  directory: string,
  unit: string,
  accepted: {
    invocation: string;
    restart: readonly string[];
    reload: readonly string[];
    secret: readonly string[];
    /** By the file that tells of it. */
    programs?: ReadonlyMap<string, string>;
  },
): Promise<void> {
  await makePrivateDirectory(directory);
  const root = { mode: 0o600, uid: 0, gid: 0 };
  const files: Stamp["files"] = [];
  const open = [...accepted.restart, ...accepted.reload].filter((path) => !accepted.secret.includes(path));
  for (const path of open) {
    const info = await stat(path).catch(missingIsUndefined);
    if (!info) continue;
    const copy = join(directory, `${unit}.${createHash("sha256").update(path).digest("hex").slice(0, 12)}`);
    await writeAtomically(copy, await readFile(path), root);
    const program = accepted.programs?.get(path);
    if (program !== undefined) await relink(program, acceptedOf(program));
    files.push({ path, mode: info.mode & 0o7777, uid: info.uid, gid: info.gid, copy, program });
  }
  const stamp: v.InferOutput<typeof stampSchema> = {
    invocation: accepted.invocation,
    restart: await hashFiles(accepted.restart),
    reload: await hashFiles(accepted.reload),
    files,
  };
  await writeAtomically(join(directory, `${unit}.json`), JSON.stringify(stamp), root);
}

/** Puts back the files that the service accepted last. Returns the paths that differed. */
export async function revert(stamp: Stamp): Promise<string[]> {
  const reverted: string[] = [];
  for (const entry of stamp.files) {
    if (entry.program !== undefined) {
      // First, so that no program that was refused is ever there under the hash of the one before.
      const isPut = await relink(acceptedOf(entry.program), entry.program).catch(missingIsUndefined);
      if (isPut === undefined) continue;
      if (isPut) reverted.push(entry.program);
    }
    const accepted = await readFile(entry.copy);
    const now = await readFile(entry.path).catch(missingIsUndefined);
    if (now?.equals(accepted)) continue;
    await writeAtomically(entry.path, accepted, entry);
    reverted.push(entry.path);
  }
  return reverted;
}

/** Whether it is the one that was accepted last. */
export const isAccepted = (program: string): Promise<boolean> => areOne(program, acceptedOf(program));

async function areOne(one: string, name: string): Promise<boolean> {
  const [{ dev, ino }, other] = await Promise.all([stat(one), stat(name).catch(missingIsUndefined)]);
  return dev === other?.dev && ino === other.ino;
}

/** Gives a file another name, as one act, in place of what has it. @returns false where it has it already */
async function relink(from: string, to: string): Promise<boolean> {
  if (await areOne(from, to)) return false;
  const next = temporaryOf(to);
  await rm(next, { force: true });
  await link(from, next);
  await rename(next, to);
  await syncPath(dirname(to));
  return true;
}

export async function hashFiles(files: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const path of files) {
    const content = await readFile(path).catch(missingIsUndefined);
    hash.update(`${path}\0${content?.length ?? "absent"}\0`).update(content ?? "");
  }
  return hash.digest("base64url");
}

/** When the youngest of the files came to be as it is, ms since the epoch; 0 for none. */
export async function changedAt(files: readonly string[]): Promise<number> {
  const times = await Promise.all(
    files.map(async (path) => (await stat(path).catch(missingIsUndefined))?.ctimeMs ?? 0),
  );
  return Math.max(0, ...times);
}

function missingIsUndefined(error: unknown): undefined {
  if (isMissing(error)) return undefined;
  throw error;
}

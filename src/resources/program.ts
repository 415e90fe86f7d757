import { createHash } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, copyFile, open, rename, rm, stat, utimes } from "node:fs/promises";
import { basename, dirname } from "node:path";
import * as v from "valibot";
import { refused } from "../core/errors.ts";
import { whyNoProgram } from "../host/elf.ts";
import {
  isMissing,
  makeParents,
  missingDirectories,
  readText,
  removeEmptyDirectories,
  syncPath,
  temporaryOf,
  writeAtomically,
} from "../host/files.ts";
import type { FileResource } from "./file.ts";
import { fingerprint } from "./fingerprint.ts";
import { acceptedOf } from "./stamp.ts";
import type { Kind } from "./types.ts";

const pieceBytes = 2 ** 20;

const root = { mode: 0o644, uid: 0, gid: 0 };

/** Where the hash of a program of ours stands, as sha256sum(1) reads it. */
const hashFile = (path: string): string => `${path}.sha256`;

/** The hash that was noted when it was copied; undefined where it was not. */
export async function notedHash(path: string): Promise<string | undefined> {
  return /^[0-9a-f]{64}/.exec((await readText(hashFile(path))) ?? "")?.[0];
}

/**
 * An operator's own program, copied to a place where nobody changes it by accident. A source that is gone, or that this
 * process may not see, changes nothing; a new one is told by its size and time, and by its bytes where only the time is
 * another. What cannot run here never takes the place of what does: `program.unfit` (exit 3).
 */
export function program({ from, to }: { from: string; to: string }): FileResource {
  const id = `program:${to}`;
  return {
    id,
    needs: [],
    desired: fingerprint({ from, to }),
    // Small, and changes exactly with the program.
    files: [hashFile(to)],
    program: to,
    async inspect() {
      const [there, source, hash] = await Promise.all([look(to), look(from), notedHash(to)]);
      const isWhole = there !== undefined && hash !== undefined && (there.mode & 0o7777) === 0o755;
      if (isWhole && (!source || isCopy(source, there))) return undefined;
      if (isWhole && source?.size === there.size && (await holdSame(from, to, hash))) return undefined;
      return {
        action: there ? "update" : "create",
        impact: "none",
        diff: `+ a copy of ${from}`,
        async apply(context) {
          if (!source) {
            throw refused("program.missing", `there is no ${from} on this node`, {
              remedy: `copy the program to ${from}, then run this again`,
            });
          }
          await context.ledger.before(id, { missing: await missingDirectories(dirname(to)) });
          context.progress(`copying ${from}`);
          await makeParents(to);
          await copy(from, to, source);
        },
      };
    },
  };
}

async function copy(from: string, to: string, source: Stats): Promise<void> {
  const next = temporaryOf(to);
  await rm(next, { force: true });
  await copyFile(from, next);
  // As it was copied: the operator may be copying it just now.
  const why = await whyNoProgram(next);
  if (why !== undefined) {
    await rm(next);
    throw refused("program.unfit", `${from} ${why}: what ran before goes on`, {
      remedy: `copy the server's program to ${from} again, for this machine, then run this again`,
    });
  }
  const hash = await sha256Of(next);
  await chmod(next, 0o755);
  await utimes(next, source.atimeMs / 1000, source.mtimeMs / 1000);
  await syncPath(next);
  // First, so that no program is ever there under the hash of the one before.
  await writeAtomically(hashFile(to), `${hash}  ${basename(to)}\n`, root);
  await rename(next, to);
  await syncPath(dirname(to));
}

/** What was hashed already: of each file, as it was then. */
const hashed = new Map<string, { as: string; hash: string }>();

/** Whether both files have that hash. Once for each state of them: `status` asks, too. */
async function holdSame(one: string, other: string, hash: string): Promise<boolean> {
  for (const path of [one, other]) {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    const as = [ino, size, mtimeMs, ctimeMs].join();
    if (hashed.get(path)?.as !== as) hashed.set(path, { as, hash: await sha256Of(path) });
    if (hashed.get(path)?.hash !== hash) return false;
  }
  return true;
}

/**
 * Read, not mapped: the runtime maps a file to write to it, so that one that runs cannot be (`ETXTBSY`), and one that was
 * cannot be run until the mapping is collected. An agent has its turn between two pieces. @returns hex
 */
async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  const piece = Buffer.allocUnsafe(pieceBytes);
  const handle = await open(path, "r");
  try {
    for (;;) {
      const { bytesRead } = await handle.read(piece, 0, pieceBytes);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(piece.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/** utimes(2) by the runtime is exact to the second. */
function isCopy(source: Stats, copied: Stats): boolean {
  return source.size === copied.size && Math.abs(source.mtimeMs - copied.mtimeMs) < 1_000;
}

async function look(path: string): Promise<Stats | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (isMissing(error) || code === "EACCES") return undefined;
    throw error;
  }
}

const beforeSchema = v.object({ missing: v.array(v.string()) });

export const programKind: Kind = {
  name: "program",
  async undo(id, before) {
    const to = id.slice("program:".length);
    const { missing } = v.parse(beforeSchema, before);
    const kept = acceptedOf(to);
    for (const path of [temporaryOf(to), to, hashFile(to), temporaryOf(kept), kept]) {
      await rm(path, { force: true });
    }
    await removeEmptyDirectories(missing);
  },
};

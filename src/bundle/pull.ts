import { constants } from "node:fs";
import { mkdir, open, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ChimeError, failed } from "../core/errors.ts";
import { fileError } from "../host/files.ts";
import type { BundleFile } from "./manifest.ts";

/** A node that has the files. */
export interface Source {
  node: string;
  /** What stands at `offset`, as much as one answer takes; nothing at the end of the file. */
  readonly read: (name: string, offset: number) => Promise<Uint8Array>;
}

export interface PullOptions {
  files: readonly BundleFile[];
  /** Where they go. What an earlier pull left there is used. */
  directory: string;
  /** All are asked at once, each for other files. */
  sources: readonly Source[];
  /** Bytes that are here and right, or on their way, and the node that the last of them came from. */
  readonly arrived: (bytes: number, node: string) => void;
  signal: AbortSignal;
}

/**
 * Brings files of a signed manifest from other nodes. Each counts when its bytes have the manifest's sum; what was cut
 * off goes on where it ended, from any node that is left. A node that gives something else is asked no more.
 * @throws ChimeError `bundle.pull_failed`, `host.no_space`, `file.*`
 */
export async function pullFiles({ files, directory, sources, arrived, signal }: PullOptions): Promise<void> {
  const queue = [...files];
  let reason = "none has it";
  /** True while the node is good for more. */
  const drain = async (source: Source): Promise<boolean> => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      signal.throwIfAborted();
      try {
        await pullFile(file, directory, source, arrived);
      } catch (error) {
        queue.unshift(file);
        // Where our own disk says no, no other node can help.
        if (!(error instanceof ChimeError) || /^(host|file)\./.test(error.code)) throw error;
        reason = error.message;
        return false;
      }
    }
    return true;
  };
  // Again for what a node gave up when the others had nothing left to do.
  for (let left = [...sources]; queue.length > 0 && left.length > 0;) {
    const good = await Promise.all(left.map(drain));
    left = left.filter((_, at) => good[at]);
  }
  if (queue.length === 0) return;
  throw failed(
    "bundle.pull_failed",
    `no node brings ${queue[0]?.name} of the bundle: ${reason}`,
    "run the same command again: it goes on where this ended",
  );
}

async function pullFile(
  file: BundleFile,
  directory: string,
  source: Source,
  arrived: PullOptions["arrived"],
): Promise<void> {
  const path = join(directory, file.name);
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      if (await fill(handle, file, source, arrived)) return;
      // What an earlier pull left was not of this file: once more from its beginning.
      if (await fill(handle, file, source, arrived)) return;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(path, error);
  }
  throw failed("bundle.pull_wrong", `${source.node} has another ${file.name} than was signed`);
}

/** Goes on behind what is there. Where all of it is not what was signed, it is empty again, and the answer is false. */
async function fill(
  handle: FileHandle,
  file: BundleFile,
  { node, read }: Source,
  arrived: PullOptions["arrived"],
): Promise<boolean> {
  const hash = new Bun.CryptoHasher("sha256");
  let position = await sumUp(handle, hash);
  arrived(position, node);
  try {
    while (position < file.size) {
      const piece = await read(file.name, position);
      if (piece.length === 0) break;
      await handle.write(piece, 0, piece.length, position);
      hash.update(piece);
      position += piece.length;
      arrived(piece.length, node);
    }
  } catch (error) {
    // Whoever goes on here counts it.
    arrived(-position, node);
    throw error;
  }
  if (position === file.size && hash.digest("hex") === file.sha256) return true;
  await handle.truncate(0);
  arrived(-position, node);
  return false;
}

/** Of what the file holds already; returns its size. */
async function sumUp(handle: FileHandle, hash: Bun.CryptoHasher): Promise<number> {
  const buffer = Buffer.allocUnsafe(1 << 20);
  for (let position = 0; ;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return position;
    hash.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

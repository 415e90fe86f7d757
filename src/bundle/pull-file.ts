import { constants } from "node:fs";
import { mkdir, open, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failed } from "../core/errors.ts";
import { fileError } from "../host/files.ts";
import type { BundleFile } from "./manifest.ts";

/** A node that has a file. */
export interface FileSource {
  node: string;
  /** What stands at `offset`, as much as one answer takes; nothing at the end of the file. */
  readonly read: (name: string, offset: number) => Promise<Uint8Array>;
}

/** Told of bytes that are here and right, or on their way, and of the node that the last of them came from. */
export type Arrived = (bytes: number, node: string) => void;

/**
 * One file from one node, whole and right in the end. What is there already is not asked for again.
 * @throws ChimeError what the node answers, `bundle.pull_wrong`, `host.no_space`, `file.*`
 */
export async function pullFile(
  file: BundleFile,
  places: { coming: string; whole: string },
  source: FileSource,
  arrived: Arrived,
): Promise<void> {
  const path = join(places.coming, file.name);
  const target = join(places.whole, file.name);
  try {
    for (const each of [path, target]) await mkdir(dirname(each), { recursive: true, mode: 0o700 });
    // Whole when an earlier pull ended, but a power cut may have come since: checked once more.
    if (await Bun.file(target).exists()) await rename(target, path);
    const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      // What an earlier pull left may not be of this file: then once more from its beginning.
      const isWhole =
        (await fill(handle, file, source, arrived)) || (await fill(handle, file, source, arrived));
      if (isWhole) return await rename(path, target);
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
  { node, read }: FileSource,
  arrived: Arrived,
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

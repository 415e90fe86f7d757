import { sign, type KeyObject } from "node:crypto";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { failed } from "../core/errors.ts";
import { fileError, writeAt } from "../host/files.ts";
import { ByteSource, readBuffers } from "./bytes.ts";
import { ChunkSums, chunkCount } from "./chunks.ts";
import { isKept } from "./kept.ts";
import {
  bundleId,
  manifestName,
  renderManifest,
  signatureName,
  signatureSize,
  type BundleFile,
  type Manifest,
} from "./manifest.ts";
import { entrySpace, header, paddingOf, trailerSize } from "./tar.ts";

/** A file on its way into a bundle. */
export interface Packed extends Omit<BundleFile, "sha256" | "chunks"> {
  /** Where it is on this machine. */
  path: string;
  /** What it must be, where that is known from elsewhere. */
  sha256?: string;
}

/**
 * Writes the bundle at `out`, replacing what was there only when it is whole. The manifest stands first, so that a
 * reader knows who signed what before it takes anything; as its length does not depend on the sums, the files are
 * read once, and it is put into the room that was left for it.
 * @throws ChimeError `bundle.input_changed`, `host.no_space`, `file.*`; the signal's reason
 */
export async function packBundle(
  out: string,
  { head, files, key }: { head: Omit<Manifest, "files">; files: readonly Packed[]; key: KeyObject },
  signal?: AbortSignal,
): Promise<{ id: string; manifest: Manifest; size: number }> {
  const temporary = `${out}.part`;
  const handle = await open(temporary, "w", 0o644).catch((error: unknown) => {
    throw fileError(out, error);
  });
  try {
    const manifest: Manifest = { ...head, files: files.map((file) => describe(file, placeholder(file))) };
    const length = Buffer.byteLength(renderManifest(manifest));
    let position = entrySpace(length) + entrySpace(signatureSize);
    const buffers = readBuffers();
    for (const [at, file] of files.entries()) {
      manifest.files[at] = describe(file, await copy(handle, file, position, buffers, signal));
      position += entrySpace(file.size);
    }
    await writeAt(handle, Buffer.alloc(trailerSize), position);
    const text = Buffer.from(renderManifest(manifest));
    const signature = sign(null, text, key);
    const begin = [...entry(manifestName, text), ...entry(signatureName, signature)];
    await writeAt(handle, Buffer.concat(begin), 0);
    // Not synced, as with tar: who carries it away reads it, and what a power cut took is found by `bundle verify`.
    await rename(temporary, out);
    return { id: bundleId(text.toString()), manifest, size: position + trailerSize };
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(out, error);
  } finally {
    await handle.close();
  }
}

/** Of a file, and of its chunks where it has several. */
interface Sums {
  sha256: string;
  chunks: readonly string[];
}

/** As long as the sums will be. */
function placeholder(file: Packed): Sums {
  const sha256 = "0".repeat(64);
  return { sha256, chunks: Array<string>(chunksToSum(file)).fill(sha256) };
}

/** Only what nodes take from each other is checked in chunks; to sum up all twice would take packing half as long again. */
function chunksToSum({ name, size }: Pick<Packed, "name" | "size">): number {
  return isKept(name) ? chunkCount(size) : 0;
}

function describe(file: Packed, { sha256, chunks }: Sums): BundleFile {
  const { version, origin, name, size, binary } = file;
  const sums = chunks.length > 0 ? { chunks: [...chunks] } : {};
  return { version, origin, ...sums, name, sha256, size, ...(binary && { binary }) };
}

function entry(name: string, content: Uint8Array): Uint8Array[] {
  return [header({ name, size: content.length }), content, Buffer.alloc(paddingOf(content.length))];
}

/** One file at its place in the bundle. */
async function copy(
  out: FileHandle,
  { name, size, path, sha256 }: Packed,
  start: number,
  buffers: ReturnType<typeof readBuffers>,
  signal: AbortSignal | undefined,
): Promise<Sums> {
  const hash = new Bun.CryptoHasher("sha256");
  const chunks = chunksToSum({ name, size }) > 0 ? new ChunkSums() : undefined;
  const block = header({ name, size });
  let position = start;
  const put = async (chunk: Uint8Array) => {
    const at = position;
    position += chunk.length;
    await writeAt(out, chunk, at);
  };
  await put(block);
  const work = async (source: ByteSource) => {
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await source.some(size + 1 - source.position);
      if (chunk.length === 0 || source.position > size) return source.position;
      const written = put(chunk);
      hash.update(chunk);
      chunks?.update(chunk);
      await written;
    }
  };
  const read = await ByteSource.over(path, work, buffers);
  const sum = hash.digest("hex");
  if (read !== size || (sha256 !== undefined && sum !== sha256)) {
    throw failed(
      "bundle.input_changed",
      `${path} is not what it was a moment ago, or was damaged`,
      "run this again",
    );
  }
  await put(Buffer.alloc(paddingOf(size)));
  return { sha256: sum, chunks: chunks?.digests() ?? [] };
}

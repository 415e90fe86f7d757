import { constants } from "node:fs";
import { mkdir, open, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { failed } from "../core/errors.ts";
import { fileError, writeAt } from "../host/files.ts";
import { chunksOf, type Chunk } from "./chunks.ts";
import type { BundleFile } from "./manifest.ts";

/** A node that has a file. */
export interface FileSource {
  node: string;
  /** What stands at `offset`, as much as one answer takes; nothing at the end of the file. */
  readonly read: (name: string, offset: number) => Promise<Uint8Array>;
}

/** Where files come together: whole ones apart from those that are coming. */
export interface Places {
  coming: string;
  whole: string;
}

/**
 * Told of bytes that are there, and of the node they came from: none where an earlier pull left them. Less than none
 * where they were not what was signed.
 */
export type Arrived = (bytes: number, node: string | undefined) => void;

/** A chunk, and what is there of it. */
interface ComingChunk extends Chunk {
  position: number;
  /** Of the bytes before `position`. */
  hash: Bun.CryptoHasher;
  /** How many of them came from whom, in the words of `Arrived`. */
  from: Map<string | undefined, number>;
}

/** A file that comes together from chunks, each from any node that has the file. */
export class ComingFile {
  readonly file: BundleFile;
  /** Bytes that an earlier pull left, and that are used. */
  present = 0;
  private readonly places: Places;
  private readonly handle: FileHandle;
  /** Those that nobody is bringing. */
  private readonly waiting: ComingChunk[] = [];
  private missing = 0;

  private constructor(file: BundleFile, places: Places, handle: FileHandle) {
    this.file = file;
    this.places = places;
    this.handle = handle;
  }

  /** @throws ChimeError `file.*` */
  static async open(file: BundleFile, places: Places): Promise<ComingFile> {
    const path = join(places.coming, file.name);
    const target = join(places.whole, file.name);
    try {
      for (const each of [path, target]) await mkdir(dirname(each), { recursive: true, mode: 0o700 });
      // Whole when an earlier pull ended, but a power cut may have come since: checked once more.
      if (await Bun.file(target).exists()) await rename(target, path);
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
      try {
        const coming = new ComingFile(file, places, handle);
        const { size } = await handle.stat();
        for (const chunk of chunksOf(file)) await coming.look(chunk, size);
        return coming;
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw fileError(path, error);
    }
  }

  /** Of a chunk that ends behind the file's end the beginning is taken; what is in the middle of it may be a hole. */
  private async look(chunk: Chunk, fileSize: number): Promise<void> {
    const there = Math.min(chunk.size, Math.max(0, fileSize - chunk.start));
    const hash = new Bun.CryptoHasher("sha256");
    const buffer = Buffer.allocUnsafe(Math.min(there, 1 << 20));
    for (let position = 0; position < there;) {
      const length = Math.min(buffer.length, there - position);
      const { bytesRead } = await this.handle.read(buffer, 0, length, chunk.start + position);
      hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
    const isAll = there === chunk.size;
    const isRight = isAll && hash.copy().digest("hex") === chunk.sha256;
    if (!isAll || isRight) this.present += there;
    if (isRight) return;
    this.missing += 1;
    this.waiting.push(
      isAll
        ? { ...chunk, ...nothing() }
        : { ...chunk, position: there, hash, from: new Map(there > 0 ? [[undefined, there]] : []) },
    );
  }

  get isWhole(): boolean {
    return this.missing === 0;
  }

  /** A chunk to be brought, which nobody else gets then. */
  take(): ComingChunk | undefined {
    return this.waiting.shift();
  }

  /** One that was taken and not brought. What came of it stays. */
  giveBack(chunk: ComingChunk): void {
    this.waiting.unshift(chunk);
  }

  /**
   * Brings the rest of a chunk from one node. What several have brought and is not right comes once more, from this
   * one alone.
   * @throws ChimeError what the node answers, `bundle.pull_wrong`, `host.no_space`, `file.*`
   */
  async bring(chunk: ComingChunk, { node, read }: FileSource, arrived: Arrived): Promise<void> {
    const { name } = this.file;
    for (;;) {
      chunk.from.set(node, chunk.from.get(node) ?? 0);
      while (chunk.position < chunk.size) {
        const at = chunk.start + chunk.position;
        const piece = (await read(name, at)).subarray(0, chunk.size - chunk.position);
        if (piece.length === 0) break;
        await this.write(piece, at);
        chunk.hash.update(piece);
        chunk.position += piece.length;
        chunk.from.set(node, (chunk.from.get(node) ?? 0) + piece.length);
        arrived(piece.length, node);
      }
      if (chunk.position === chunk.size && chunk.hash.digest("hex") === chunk.sha256) {
        this.missing -= 1;
        return;
      }
      const isItsOwn = chunk.from.size === 1;
      for (const [who, bytes] of chunk.from) arrived(-bytes, who);
      Object.assign(chunk, nothing());
      if (isItsOwn) throw failed("bundle.pull_wrong", `${node} has another ${name} than was signed`);
    }
  }

  private async write(piece: Uint8Array, at: number): Promise<void> {
    try {
      await writeAt(this.handle, piece, at);
    } catch (error) {
      throw fileError(join(this.places.coming, this.file.name), error);
    }
  }

  /** Puts a file that is whole where others may have it. @throws ChimeError `file.*` */
  async finish(): Promise<void> {
    const path = join(this.places.coming, this.file.name);
    try {
      // What an earlier pull left may have been longer.
      await this.handle.truncate(this.file.size);
      await rename(path, join(this.places.whole, this.file.name));
    } catch (error) {
      throw fileError(path, error);
    } finally {
      await this.close();
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

function nothing(): Pick<ComingChunk, "position" | "hash" | "from"> {
  return { position: 0, hash: new Bun.CryptoHasher("sha256"), from: new Map() };
}

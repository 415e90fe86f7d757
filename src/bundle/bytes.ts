import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { refused } from "../core/errors.ts";
import { fileError } from "../host/files.ts";

/** Two of them stay in the cache of one core: with 1 MiB, packing takes half as long again. */
const chunkSize = 1 << 18;
/** `exactly` is for headers and the like; what is larger is read in pieces. */
const largestWhole = 8 << 20;

/** Room for one piece to be worked on and one that is under way. */
type Buffers = readonly [Buffer, Buffer];

/** To be given from one file to the next, where there are many: fresh memory costs as much as reading into it. */
export function readBuffers(): Buffers {
  return [Buffer.allocUnsafe(chunkSize), Buffer.allocUnsafe(chunkSize)];
}

/** A file read from its beginning to its end, once, with the next piece under way while one is worked on. */
export class ByteSource {
  private readonly handle: FileHandle;
  private readonly buffers: Buffers;
  private turn = 0;
  private coming: Promise<Buffer> | undefined;
  private chunk: Buffer = Buffer.alloc(0);
  /** Bytes that were handed out. */
  position = 0;

  private constructor(handle: FileHandle, buffers: Buffers) {
    this.handle = handle;
    this.buffers = buffers;
  }

  /** Reads all of it through `work`, and closes it. @throws ChimeError `bundle.no_file`, `file.*`, and what `work` throws */
  static async over<T>(
    path: string,
    work: (source: ByteSource) => Promise<T>,
    buffers: Buffers = readBuffers(),
  ): Promise<T> {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") throw refused("bundle.no_file", `there is no file ${path}`);
        throw fileError(path, error);
      },
    );
    const source = new ByteSource(handle, buffers);
    try {
      if (!(await handle.stat()).isFile()) throw refused("bundle.no_file", `${path} is no file`);
      return await work(source);
    } catch (error) {
      throw fileError(path, error);
    } finally {
      await source.coming?.catch(() => undefined);
      await handle.close();
    }
  }

  /** Up to `most` bytes, good until the next call; none at the end of the file. */
  async some(most: number): Promise<Buffer> {
    if (this.chunk.length === 0) this.chunk = await this.next();
    const taken = this.chunk.subarray(0, most);
    this.chunk = this.chunk.subarray(taken.length);
    this.position += taken.length;
    return taken;
  }

  /** @throws ChimeError `bundle.truncated` */
  async exactly(length: number): Promise<Buffer> {
    if (length > largestWhole) throw new Error(`${length} bytes are too many at once`);
    const pieces: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = await this.some(missing);
      if (piece.length === 0) throw truncated();
      pieces.push(Buffer.from(piece));
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async atEnd(): Promise<boolean> {
    if (this.chunk.length === 0) this.chunk = await this.next();
    return this.chunk.length === 0;
  }

  private async next(): Promise<Buffer> {
    const chunk = await (this.coming ?? this.read());
    this.coming = chunk.length === 0 ? undefined : this.read();
    // Its error is told by whoever waits for it.
    this.coming?.catch(() => undefined);
    return chunk;
  }

  private async read(): Promise<Buffer> {
    const buffer = this.buffers[this.turn++ % 2 === 0 ? 0 : 1];
    const { bytesRead } = await this.handle.read(buffer, 0, chunkSize, null);
    return buffer.subarray(0, bytesRead);
  }
}

export function truncated() {
  return refused("bundle.truncated", "the bundle ends too early: it was not copied whole", "copy it again");
}

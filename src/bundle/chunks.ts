import type { BundleFile } from "./manifest.ts";

/** What is checked at once of a file on its way between nodes. Part of the format: sums are made of this many bytes. */
export const chunkBytes = 4 << 20;

/** A part of a file with a sum of its own. */
export interface Chunk {
  start: number;
  size: number;
  sha256: string;
}

/** How many sums a file of this size has beside that of all of it: none where they would be the same. */
export function chunkCount(size: number): number {
  return size > chunkBytes ? Math.ceil(size / chunkBytes) : 0;
}

/** A file without sums of its chunks, small or of a bundle that was made before there were any, is one chunk. */
export function chunksOf({ size, sha256, chunks = [sha256] }: BundleFile): Chunk[] {
  if (chunks.length === 1) return [{ start: 0, size, sha256 }];
  return chunks.map((sum, at) => {
    const start = at * chunkBytes;
    return { start, size: Math.min(chunkBytes, size - start), sha256: sum };
  });
}

/** Sums of a file's chunks, of bytes that come in any pieces. */
export class ChunkSums {
  private readonly sums: string[] = [];
  private hash = new Bun.CryptoHasher("sha256");
  private position = 0;

  update(bytes: Uint8Array): void {
    for (let rest = bytes; rest.length > 0;) {
      const part = rest.subarray(0, chunkBytes - this.position);
      this.hash.update(part);
      this.position += part.length;
      rest = rest.subarray(part.length);
      if (this.position === chunkBytes) this.end();
    }
  }

  /** After the last byte. */
  digests(): string[] {
    if (this.position > 0) this.end();
    return this.sums;
  }

  private end(): void {
    this.sums.push(this.hash.digest("hex"));
    this.hash = new Bun.CryptoHasher("sha256");
    this.position = 0;
  }
}

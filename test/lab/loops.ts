import { dlopen } from "bun:ffi";
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, rm, truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { exec } from "../../src/core/exec.ts";

/** A blank disk that is a sparse file: on a loop device below the lab's directory, where the lab's sweep finds it. */
export class LoopDevice {
  readonly path: string;
  readonly file: string;

  private constructor(path: string, file: string) {
    this.path = path;
    this.file = file;
  }

  /** @param flags of losetup(8) */
  static async attach(file: string, { bytes = 2 ** 30, flags = [] as string[] } = {}): Promise<LoopDevice> {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, "");
    await truncate(file, bytes);
    return LoopDevice.again(file, flags);
  }

  /** A second device on the same file, or one on another device. */
  static async again(file: string, flags: readonly string[] = []): Promise<LoopDevice> {
    const { stdout } = await exec(["losetup", "--find", "--show", ...flags, file]);
    return new LoopDevice(stdout.trim(), file);
  }

  digest(): Promise<string> {
    return digestOf(this.path, this.file);
  }

  /** The file goes with it. */
  async detach(): Promise<void> {
    await exec(["losetup", "--detach", this.path], { ok: "any" });
    await rm(this.file, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.detach();
  }
}

/** Hash of all that is not zero, and of where it stands. Holes are zeros that need not be read. */
export async function digestOf(device: string, file: string): Promise<string> {
  await exec(["sync", device]);
  const hash = createHash("sha256");
  const fd = openSync(file, "r");
  try {
    const block = Buffer.alloc(64 * 1024);
    const zeros = Buffer.alloc(4096);
    for (let at = seek(fd, 0, SEEK_DATA); at >= 0; at = seek(fd, at, SEEK_DATA)) {
      const end = seek(fd, at, SEEK_HOLE);
      while (at < end) {
        const bytes = block.subarray(0, readSync(fd, block, 0, Math.min(block.length, end - at), at));
        // Block by block: where the file system's extents begin and end is no matter.
        for (let from = 0; from < bytes.length; from += zeros.length) {
          const part = bytes.subarray(from, from + zeros.length);
          if (!part.equals(zeros)) hash.update(`${at + from}\n`).update(part);
        }
        at += bytes.length;
      }
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}

/** lseek(2), which the runtime does not have. */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const libc = dlopen("libc.so.6", { lseek: { args: ["i32", "i64", "i32"], returns: "i64" } }).symbols;

/** -1 after the last of it. */
function seek(fd: number, offset: number, whence: number): number {
  return Number(libc.lseek(fd, offset, whence));
}

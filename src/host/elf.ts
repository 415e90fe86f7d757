import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

/** The System V ABI's e_machine of what this program itself was built for. */
const machines: Partial<Record<NodeJS.Architecture, number>> = { x64: 62, arm64: 183 };

/** Where things are in an ELF header of 64 bit, little endian, and in its program headers (elf(5)). */
const header = { bytes: 64, machine: 18, tableAt: 32, entries: 56 };
const entry = { bytes: 56, offset: 8, fileBytes: 32 };

/**
 * Why a file is no program that this machine could run, as it goes on after its name; undefined: it is one, as far as can be
 * seen without running it. One that was cut short while it was copied is none.
 * @throws as fs does
 */
export async function whyNoProgram(path: string): Promise<string | undefined> {
  // A FIFO would hold us until somebody writes to it.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const info = await handle.stat();
    if (!info.isFile()) return "is not a regular file";
    const { size } = info;
    const head = await bytesAt(handle, 0, header.bytes);
    if (head.readUInt32BE(0) !== 0x7f454c46) return "is not a program";
    const isOfHere =
      head[4] === 2 && head[5] === 1 && head.readUInt16LE(header.machine) === machines[process.arch];
    if (!isOfHere) return `is a program for another kind of processor than this node's (${process.arch})`;
    const tableAt = head.readBigUInt64LE(header.tableAt);
    const entries = head.readUInt16LE(header.entries);
    if (entries === 0) return "is not a program";
    const tableEnd = tableAt + BigInt(entry.bytes * entries);
    const isWhole =
      tableEnd <= size && (await segmentEnds(handle, Number(tableAt), entries)).every((end) => end <= size);
    return isWhole ? undefined : "is only a part of a program: it was cut short";
  } finally {
    await handle.close();
  }
}

/** Up to where each part of it that is loaded reaches in the file. */
async function segmentEnds(handle: FileHandle, tableAt: number, count: number): Promise<bigint[]> {
  const table = await bytesAt(handle, tableAt, entry.bytes * count);
  return Array.from({ length: count }, (_, nth) => {
    const at = nth * entry.bytes;
    return table.readBigUInt64LE(at + entry.offset) + table.readBigUInt64LE(at + entry.fileBytes);
  });
}

/** Zeros where the file has no more. */
async function bytesAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  await handle.read(buffer, 0, length, at);
  return buffer;
}

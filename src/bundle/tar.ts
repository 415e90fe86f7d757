import { refused, type ChimeError } from "../core/errors.ts";
import type { ByteSource } from "./bytes.ts";

/**
 * The one form of tar that a bundle has: regular files in ustar headers (POSIX.1-1988), owned by root, all of one time,
 * so that the same contents are the same bytes. A reader that asks for exactly this form needs no rule for links,
 * devices, sparse files or extended headers: there is no room for them, and a flipped bit anywhere is seen.
 */
export interface TarEntry {
  name: string;
  /** Bytes. */
  size: number;
}

const blockSize = 512;
/** Two empty blocks. */
export const trailerSize = 2 * blockSize;
/** 11 octal digits. */
const largestEntry = 8 ** 11 - 1;
/** 1980, in seconds: tar warns of anything close to the epoch. */
const modified = 315_532_800;

/** Letters that no shell and no terminal takes for something else; no part of a path begins with a dot or a dash. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._+~-]*(\/[A-Za-z0-9][A-Za-z0-9._+~-]*)*$/;
/** ustar's name field. */
const longestName = 100;

export function isSafeName(name: string): boolean {
  return name.length <= longestName && namePattern.test(name);
}

/** Zero bytes between an entry's end and the next block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** What an entry takes, header and padding included. */
export function entrySpace(size: number): number {
  return blockSize + size + paddingOf(size);
}

/** @throws Error for a name or a size that the form has no room for: the packer's mistake */
export function header({ name, size }: TarEntry): Uint8Array {
  if (!isSafeName(name)) throw new Error(`${name} cannot be a name in a bundle`);
  if (size > largestEntry) throw new Error(`${name} is larger than tar can say`);
  const block = Buffer.alloc(blockSize);
  block.write(name, 0);
  block.write(name.endsWith(".sh") ? "0000755" : "0000644", 100);
  block.write("0000000", 108);
  block.write("0000000", 116);
  block.write(octal(size, 11), 124);
  block.write(octal(modified, 11), 136);
  block.write("        ", 148);
  block.write("0", 156);
  block.write("ustar\u000000", 257);
  block.write("root", 265);
  block.write("root", 297);
  block.write("0000000", 329);
  block.write("0000000", 337);
  block.write(`${octal(checksum(block), 6)}\u0000 `, 148);
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

/** Of a block whose own checksum field holds blanks. */
function checksum(block: Uint8Array): number {
  let sum = 0;
  for (const byte of block) sum += byte;
  return sum;
}

const kinds: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "5": "a directory",
  "6": "a FIFO",
};

/**
 * The next entry's header; undefined at the trailer. Its body must have been read.
 * @throws ChimeError `bundle.truncated`, `bundle.not_a_file`, `bundle.unsafe_name`, `bundle.changed`
 */
export async function readHeader(source: ByteSource): Promise<TarEntry | undefined> {
  const block = await source.exactly(blockSize);
  if (isZero(block)) return undefined;
  if (field(block, 257, 6) !== "ustar") throw changed("what should be a header is none");
  const name = field(block, 0, 100);
  const kind = String.fromCharCode(block[156] ?? 0);
  if (kind !== "0") {
    throw refused(
      "bundle.not_a_file",
      `the bundle is not safe: ${printable(name)} is ${kinds[kind] ?? "no file"}`,
      tell,
    );
  }
  if (!isSafeName(name)) throw unsafeName(name);
  const size = /^[0-7]{11}$/.exec(field(block, 124, 12))?.[0];
  const entry = { name, size: size === undefined ? -1 : Number.parseInt(size, 8) };
  if (entry.size < 0 || !Buffer.from(header(entry)).equals(block)) {
    throw changed(`the header of ${name} is not as it was written`);
  }
  return entry;
}

/** What stands after an entry's bytes. @throws ChimeError `bundle.truncated`, `bundle.changed` */
export async function readPadding(source: ByteSource, { name, size }: TarEntry): Promise<void> {
  const rest = paddingOf(size);
  if (rest > 0 && !isZero(await source.exactly(rest))) throw changed(`there is something after ${name}`);
}

/** After the first empty block: the second one, and nothing more. @throws ChimeError `bundle.truncated`, `bundle.changed` */
export async function readEnd(source: ByteSource): Promise<void> {
  if (!isZero(await source.exactly(blockSize))) throw changed("its end is not as it was written");
  if (!(await source.atEnd())) throw changed("something follows its end");
}

export const tell = "take it from whoever made it once more, and do not use this one";

/** Bytes that are not as they were written. */
export function changed(why: string): ChimeError {
  return refused("bundle.changed", `the bundle was changed or damaged: ${why}`, tell);
}

export function unsafeName(name: string): ChimeError {
  const why = name.startsWith("/")
    ? "is an absolute path"
    : name.split("/").includes("..")
      ? "leads out of its directory"
      : "is no name that a bundle has";
  return refused("bundle.unsafe_name", `the bundle is not safe: ${printable(name)} ${why}`, tell);
}

/** Names of others go to a terminal. */
function printable(name: string): string {
  return JSON.stringify(name.slice(0, longestName)).replaceAll(/[^ -~]/g, "?");
}

function field(block: Buffer, at: number, length: number): string {
  const end = block.indexOf(0, at);
  return block.toString("latin1", at, end >= at && end < at + length ? end : at + length);
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}

import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { Transform, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { usageError } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { fileError } from "../host/files.ts";
import type { BundleFile, Manifest } from "./manifest.ts";

type Arch = Manifest["arch"];

/** e_machine of elf(5). */
const machines: Readonly<Record<Arch, number>> = { x64: 0x3e, arm64: 0xb7 };

/** A program as it goes into a bundle. */
export interface PackedProgram {
  path: string;
  size: number;
  binary: NonNullable<BundleFile["binary"]>;
}

/**
 * A program, packed for every system's gzip; one that is packed already is taken as it is, so that a release's own file
 * goes in unchanged. Streamed.
 * @param out where the packed one goes, if it has to be made
 * @throws ChimeError `bundle.bad_program` (exit 2), `file.*`; the signal's reason
 */
export async function packProgram(
  file: string,
  arch: Arch,
  out: string,
  signal: AbortSignal,
): Promise<PackedProgram> {
  const head = await readHead(file);
  const isPacked = head[0] === 0x1f && head[1] === 0x8b;
  const sum = new Sum();
  try {
    if (isPacked) {
      await pipeline(createReadStream(file), createGunzip(), sum, nowhere(), { signal });
    } else {
      await pipeline(createReadStream(file), sum, createGzip({ level: 9 }), createWriteStream(out), {
        signal,
      });
    }
  } catch (error) {
    signal.throwIfAborted();
    if (isPacked) throw badProgram(`${file} cannot be unpacked`);
    throw fileError(out, error);
  }
  requireElf(file, sum, arch);
  const path = isPacked ? file : out;
  return { path, size: Bun.file(path).size, binary: sum.result() };
}

/**
 * A program that goes into a bundle as it is. Streamed.
 * @throws ChimeError `bundle.bad_program` (exit 2), `file.*`; the signal's reason
 */
export async function sumProgram(
  file: string,
  arch: Arch,
  signal: AbortSignal,
): Promise<{ sha256: string; size: number }> {
  const sum = new Sum();
  await pipeline(createReadStream(file), sum, nowhere(), { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw fileError(file, error);
  });
  requireElf(file, sum, arch);
  return sum.result();
}

function requireElf(file: string, { start }: Sum, arch: Arch): void {
  const isElf = start.length >= 20 && start.readUInt32BE(0) === 0x7f454c46;
  if (!isElf || start.readUInt16LE(18) !== machines[arch]) {
    throw badProgram(`${file} is no program for ${arch}`);
  }
}

/** Sums up what passes. */
class Sum extends Transform {
  private readonly hash = new Bun.CryptoHasher("sha256");
  private size = 0;
  /** The first bytes. */
  start: Buffer = Buffer.alloc(0);

  override _transform(chunk: Buffer, _encoding: string, done: (error: null, data: Buffer) => void): void {
    if (this.size === 0) this.start = Buffer.from(chunk.subarray(0, 64));
    this.hash.update(chunk);
    this.size += chunk.length;
    done(null, chunk);
  }

  result(): NonNullable<BundleFile["binary"]> {
    return { sha256: this.hash.digest("hex"), size: this.size };
  }
}

/** How a program is asked for its version, and what it answers. */
export interface VersionQuestion {
  argv: readonly string[];
  /** Its first group is the version. */
  answer: RegExp;
}

const ours: VersionQuestion = { argv: ["--version"], answer: /^chime-node (\d\S*)$/m };

/** Which version of chime-node a program says that it is; undefined where it says nothing, or does not run here. */
export const versionOf = (program: string): Promise<string | undefined> => askVersion(program, ours);

/** The same of a program of anybody's. */
export async function askVersion(
  program: string,
  { argv, answer }: VersionQuestion,
): Promise<string | undefined> {
  // One for another CPU or another C library cannot be started at all.
  const said = await exec([program, ...argv], { ok: "any", timeoutMs: 10_000 }).catch(() => undefined);
  return said?.code === 0 ? answer.exec(said.stdout)?.[1] : undefined;
}

/** Where only the sum counts. */
function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}

async function readHead(file: string): Promise<Buffer> {
  try {
    const handle = await open(file, "r");
    try {
      const buffer = Buffer.alloc(2);
      await handle.read(buffer, 0, 2, 0);
      return buffer;
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw fileError(file, error);
  }
}

function badProgram(message: string) {
  return usageError("bundle.bad_program", message, "give --add-binary a program for the nodes' CPU (--arch)");
}

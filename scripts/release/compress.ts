import { openSync, closeSync } from "node:fs";
import { digest, type ReleaseFile } from "./manifest.ts";

/** Deflate as small as the runtime can: 20 s for a binary; the result depends on the pinned runtime only. */
const smallest = 12;

/** `file` as `${file}.gz`: every system can unpack it. */
export async function gzip(file: string, level: 1 | 12 = smallest): Promise<ReleaseFile> {
  const binary = await Bun.file(file).bytes();
  const packed = Bun.gzipSync(binary, { library: "libdeflate", level });
  await Bun.write(`${file}.gz`, packed);
  return { name: `${nameOf(file)}.gz`, ...digest(packed), binary: digest(binary) };
}

/**
 * `file` as `${file}.xz`, a quarter smaller. One thread and a fixed level: the same bytes from the same xz. No filter
 * for machine code, which would save another 3 %: busybox calls the result corrupted.
 * @throws Error without xz (Debian: xz-utils)
 */
export async function xz(file: string): Promise<ReleaseFile> {
  const out = openSync(`${file}.xz`, "w");
  try {
    const child = Bun.spawn(["xz", "--stdout", "--threads=1", "--check=crc64", "-8", file], {
      // Without the XZ_OPT and XZ_DEFAULTS of whoever builds.
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: "ignore",
      stdout: out,
      stderr: "pipe",
    });
    const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`xz failed (exit ${code}): ${stderr.trim()}`);
  } finally {
    closeSync(out);
  }
  const packed = await Bun.file(`${file}.xz`).bytes();
  return { name: `${nameOf(file)}.xz`, ...digest(packed), binary: digest(await Bun.file(file).bytes()) };
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1);
}

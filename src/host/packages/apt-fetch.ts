import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { failed } from "../../core/errors.ts";
import { exec, lastLines } from "../../core/exec.ts";
import { mask } from "../../core/mask.ts";
import { largestKeyFile } from "./pinned-key.ts";

/** A repository that does not answer is told within seconds; mirrors' names have several addresses. */
export const acquireOptions = [
  "-o=Acquire::Retries=1",
  "-o=Acquire::http::Timeout=10",
  "-o=Acquire::https::Timeout=10",
];

/** As `PackageManager.fetch`, by apt's own downloader. @throws ChimeError `packages.unreachable` */
export async function aptFetch(url: string, { signal }: { signal: AbortSignal }): Promise<Uint8Array> {
  const directory = await mkdtemp(join(tmpdir(), "chime-node-fetch-"));
  try {
    const target = join(directory, "file");
    const helper = ["/usr/lib/apt/apt-helper", "-q", ...acquireOptions, "download-file", url, target];
    // apt itself would fill the disk.
    const argv = ["prlimit", `--fsize=${largestKeyFile}`, "--", ...helper];
    const { code, stdout, stderr } = await exec(argv, { ok: "any", signal });
    if (code === 0) return await readFile(target);
    const why = stderr.split("\n").filter((line) => line.startsWith("E:"));
    throw failed(
      "packages.unreachable",
      `${url} cannot be fetched: ${mask(lastLines(why.join("\n") || stderr || stdout))}`,
      {
        remedy:
          "check this node's way to that host (a proxy is taken from apt's settings), then run this again",
      },
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

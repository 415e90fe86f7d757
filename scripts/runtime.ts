import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDirectory } from "./cache.ts";

interface Lockfile {
  packages: Record<string, { version: string; integrity?: string } | undefined>;
}

/**
 * The Bun runtime for another architecture: npm installs only this machine's, so it is fetched once into the cache
 * and checked against the integrity that package-lock.json pins.
 * @returns the path of the executable
 */
export async function bunRuntime(root: string, name: string): Promise<string> {
  const lockfile = (await Bun.file(join(root, "package-lock.json")).json()) as Lockfile;
  const pinned = lockfile.packages[`node_modules/${name}`];
  if (!pinned?.integrity) throw new Error(`package-lock.json does not pin ${name}`);
  const directory = join(cacheDirectory(), `${name.replace("@oven/", "")}-${pinned.version}`);
  const executable = join(directory, "bun");
  if (await Bun.file(executable).exists()) return executable;

  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, ".fetch-"));
  try {
    await run(["npm", "pack", "--silent", `${name}@${pinned.version}`, "--pack-destination", work], root);
    const [tarball = ""] = await Array.fromAsync(new Bun.Glob("*.tgz").scan({ cwd: work }));
    const bytes = await Bun.file(join(work, tarball)).bytes();
    const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    if (integrity !== pinned.integrity)
      throw new Error(`${name} does not match package-lock.json: ${integrity}`);
    await run(["tar", "-xzf", join(work, tarball), "-C", work, "--no-same-owner", "package/bin/bun"], root);
    await rename(join(work, "package/bin/bun"), executable);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return executable;
}

/** Inherits the environment on purpose: npm needs the user's own registry and proxy settings. */
async function run(argv: string[], cwd: string): Promise<void> {
  const child = Bun.spawn(argv, { cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stderr, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`${argv.slice(0, 4).join(" ")} failed (exit ${code}): ${stderr.trim()}`);
}

/**
 * Builds the binary: `scripts/build [--target linux-x64|linux-arm64]`.
 * Without --target: dist/chime-node for this machine. With it: dist/chime-node-TARGET, and dist/chime-node too where
 * the target is this machine's. Nothing is built while the inputs are unchanged.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { bunRuntime } from "./runtime.ts";

const root = resolve(import.meta.dir, "..");
const dist = join(root, "dist");

/** By `--target`: Bun's name of it and the ELF machine number (elf(5)). */
export const targets = {
  "linux-x64": { bun: "bun-linux-x64", npm: "@oven/bun-linux-x64", machine: 62 },
  "linux-arm64": { bun: "bun-linux-arm64", npm: "@oven/bun-linux-aarch64", machine: 183 },
} as const;
export type Target = keyof typeof targets;

const nativeTarget: Target = process.arch === "arm64" ? "linux-arm64" : "linux-x64";

/** Every file whose change can change the binary. */
async function inputsHash(): Promise<string> {
  const glob = new Bun.Glob("{src,assets}/**/*");
  const files = await Array.fromAsync(glob.scan({ cwd: root, onlyFiles: true }));
  files.push("package.json", "package-lock.json", "tsconfig.json", "scripts/build.ts");
  const hash = createHash("sha256");
  for (const file of files.sort()) {
    hash.update(`${file}\0`).update(await Bun.file(join(root, file)).bytes());
  }
  return hash.digest("hex");
}

/**
 * The flags that keep a root binary from being hijacked: it reads no .env, bunfig.toml, tsconfig.json or package.json
 * of the working directory, and the bare `--` ends BUN_OPTIONS.
 */
export const hardening = [
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--compile-exec-argv=--disallow-code-generation-from-strings=strict --",
];

/** Compiles `entry` to `outfile`. `--bytecode` without `--format=esm` leaves a broken binary and exits 0. */
export async function compile(entry: string, outfile: string, target: Target = nativeTarget): Promise<void> {
  const runtime = target === nativeTarget ? process.execPath : await bunRuntime(root, targets[target].npm);
  const child = Bun.spawn(
    [
      process.execPath,
      "build",
      entry,
      "--compile",
      "--minify",
      "--bytecode",
      "--format=esm",
      "--splitting",
      "--sourcemap",
      `--target=${targets[target].bun}`,
      `--compile-executable-path=${runtime}`,
      "--define",
      'process.env.NODE_ENV="production"',
      ...hardening,
      `--outfile=${outfile}`,
    ],
    { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0 || /failed to generate bytecode/i.test(stdout + stderr)) {
    throw new Error(`bun build failed (exit ${code}):\n${stdout}${stderr}`);
  }
  await checkElf(outfile, target);
}

async function checkElf(file: string, target: Target): Promise<void> {
  const header = new DataView(await Bun.file(file).slice(0, 20).arrayBuffer());
  if (header.getUint32(0) !== 0x7f454c46 || header.getUint16(18, true) !== targets[target].machine) {
    throw new Error(`${file} is no ELF file for ${target}`);
  }
}

/** Runs what was built: a bundle can compile and still die at its first import. */
async function smoke(file: string): Promise<void> {
  const manifest = (await Bun.file(join(root, "package.json")).json()) as { version: string };
  const child = Bun.spawn([file, "--version"], { cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0 || !stdout.includes(manifest.version)) {
    throw new Error(`the built binary does not run: --version exited ${code}: ${stdout}${stderr}`);
  }
}

/** Builds into a directory of its own and renames, so that a reader never sees half a binary. */
async function build(target: Target, names: readonly string[]): Promise<string[]> {
  const inputs = await inputsHash();
  const stale: string[] = [];
  for (const name of names) {
    const stamp = Bun.file(join(dist, `.${name}.inputs`));
    const fresh = (await Bun.file(join(dist, name)).exists()) && (await stamp.exists());
    if (!fresh || (await stamp.text()) !== inputs) stale.push(name);
  }
  if (stale.length === 0) return [];
  await mkdir(dist, { recursive: true });
  const work = await mkdtemp(join(dist, ".build-"));
  try {
    // The outfile's basename is part of the binary: the same one for all, so that builds are reproducible.
    const built = join(work, "chime-node");
    await compile(join(root, "src/main.ts"), built, target);
    if (target === nativeTarget) await smoke(built);
    for (const name of stale) {
      await copyFile(built, join(work, name === "chime-node" ? "copy" : name));
      await rename(join(work, name === "chime-node" ? "copy" : name), join(dist, name));
      await Bun.write(join(dist, `.${name}.inputs`), inputs);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return stale;
}

export async function buildBinary(): Promise<string> {
  await build(nativeTarget, ["chime-node"]);
  return join(dist, "chime-node");
}

async function main(): Promise<number> {
  const usage = `usage: scripts/build [--target ${Object.keys(targets).join("|")}]`;
  let target: string | undefined;
  try {
    target = parseArgs({ options: { target: { type: "string" } } }).values.target;
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  if (target !== undefined && !Object.hasOwn(targets, target)) {
    console.error(`unknown target ${target}\n${usage}`);
    return 2;
  }
  const wanted = (target ?? nativeTarget) as Target;
  const names = wanted === nativeTarget ? ["chime-node"] : [];
  if (target !== undefined) names.push(`chime-node-${target}`);
  try {
    const built = await build(wanted, names);
    for (const name of names) console.log(`dist/${name}${built.includes(name) ? "" : " (unchanged)"}`);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

if (import.meta.main) process.exitCode = await main();

import { resolve } from "node:path";
import type { Build } from "../src/core/build.ts";
import { licenses } from "./release/licenses.ts";
import { embeddedParts } from "./release/parts.ts";
import { bunRuntime } from "./runtime.ts";
import { nativeTarget, targets, type Target } from "./targets.ts";

const root = resolve(import.meta.dir, "..");

/**
 * The flags that keep a root binary from being hijacked: it reads no .env, bunfig.toml, tsconfig.json or package.json
 * of the working directory, and the bare `--` ends BUN_OPTIONS.
 */
const hardening = [
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  "--compile-exec-argv=--disallow-code-generation-from-strings=strict --",
];

/**
 * Compiles `entry` to `outfile`, whose basename becomes a part of the binary. `--bytecode` without `--format=esm`
 * leaves a broken binary and exits 0.
 */
export async function compile(
  entry: string,
  outfile: string,
  options: { target?: Target; info?: Build } = {},
): Promise<void> {
  const { target = nativeTarget, info } = options;
  const runtime = target === nativeTarget ? process.execPath : await bunRuntime(root, targets[target].npm);
  const child = Bun.spawn(
    [
      process.execPath,
      "build",
      entry,
      "--compile",
      "--minify",
      "--bytecode",
      // Of what runs as modules are loaded: that makes the start fast. All functions would be 1.6 MB more to download
      // and start no faster.
      "--bytecode-depth=0",
      // A command lives for seconds, and what it compiles to machine code meanwhile is not run often enough to be worth it:
      // on two cores that two nodes share, 6 % of forming twins. What an agent does a million times is compiled all the same.
      "--compile-jit-policy=8",
      "--format=esm",
      "--splitting",
      "--sourcemap",
      `--target=${targets[target].bun}`,
      `--compile-executable-path=${runtime}`,
      "--define",
      'process.env.NODE_ENV="production"',
      ...(info ? await definitions(info) : []),
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

/** What the binary will say of itself. */
async function definitions(info: Build): Promise<string[]> {
  const texts = { CHIME_BUILD: info, CHIME_LICENSES: await licenses(root, await embeddedParts(root)) };
  return Object.entries(texts).flatMap(([name, value]) => ["--define", `${name}=${JSON.stringify(value)}`]);
}

async function checkElf(file: string, target: Target): Promise<void> {
  const header = new DataView(await Bun.file(file).slice(0, 20).arrayBuffer());
  if (header.getUint32(0) !== 0x7f454c46 || header.getUint16(18, true) !== targets[target].machine) {
    throw new Error(`${file} is no ELF file for ${target}`);
  }
}

/** Runs what was built for this machine: a bundle can compile and still die at its first import. */
export async function smoke(file: string, version: string): Promise<void> {
  const child = Bun.spawn([file, "--version"], { cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  if (code !== 0 || !stdout.includes(version)) {
    throw new Error(`the built binary does not run: --version exited ${code}: ${stdout}${stderr}`);
  }
}

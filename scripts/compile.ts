import { resolve } from "node:path";
import type { BunPlugin } from "bun";
import type { Build } from "../src/core/build.ts";
import { licenses } from "./release/licenses.ts";
import { embeddedParts } from "./release/parts.ts";
import { bunRuntime } from "./runtime.ts";
import { nativeTarget, targets, type Target } from "./targets.ts";

const root = resolve(import.meta.dir, "..");

/**
 * What keeps a root binary from being hijacked: it reads no .env, bunfig.toml, tsconfig.json or package.json of the working
 * directory, and the bare `--` ends BUN_OPTIONS.
 */
const hardening = {
  autoloadDotenv: false,
  autoloadBunfig: false,
  autoloadTsconfig: false,
  autoloadPackageJson: false,
  execArgv: ["--disallow-code-generation-from-strings=strict", "--"],
};

/** Compiles `entry` to `outfile`, whose basename becomes a part of the binary. @throws Error */
export async function compile(
  entry: string,
  outfile: string,
  options: { target?: Target; info?: Build } = {},
): Promise<void> {
  const { target = nativeTarget, info } = options;
  const runtime = target === nativeTarget ? process.execPath : await bunRuntime(root, targets[target].npm);
  const { logs } = await Bun.build({
    ...bundling,
    entrypoints: [entry],
    sourcemap: "linked",
    bytecode: true,
    // Of what runs as modules are loaded: that makes the start fast. All functions would be 1.6 MB more to download
    // and start no faster.
    bytecodeDepth: 0,
    compile: {
      ...hardening,
      target: targets[target].bun,
      executablePath: runtime,
      outfile,
      // A command lives for seconds, and what it compiles to machine code meanwhile is not run often enough to be worth it:
      // on two cores that two nodes share, 6 % of forming twins. What an agent does a million times is compiled all the same.
      jitPolicy: 8,
    },
    define: { "process.env.NODE_ENV": '"production"', ...(info ? await definitions(info) : {}) },
    plugins: [withoutComments],
  });
  // Such a binary runs, and starts slowly.
  if (logs.some(({ message }) => /failed to generate bytecode/i.test(message)))
    throw new Error(logs.map(({ message }) => message).join("\n"));
  await checkElf(outfile, target);
}

/** How the sources become one program. */
const bundling = { target: "bun", format: "esm", minify: true, splitting: true } as const;

/**
 * The sources are in the binary for the traces of internal errors, which name files and lines: without the comments that
 * stand on lines of their own they are a quarter smaller, 0.2 MB to download.
 */
const withoutComments: BunPlugin = {
  name: "without comments",
  setup(build) {
    build.onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => ({
      contents: blankComments(await Bun.file(path).text()),
      loader: "ts",
    }));
  },
};

/** Every line stays where it was. Told by lines alone: that nothing else goes, a test asks the bundler. */
function blankComments(source: string): string {
  const alone = /^[ \t]*(?:\/\/.*|\/\*\*[^]*?\*\/)[ \t]*$/gm;
  return source.replace(alone, (comment) => comment.replace(/.+/g, ""));
}

/** The program without a runtime, as it is and as it is compiled: for that test. */
export async function bundles(entry: string): Promise<[asIs: string, compiled: string]> {
  const bundle = async (plugins: BunPlugin[]) => {
    const { outputs } = await Bun.build({ ...bundling, entrypoints: [entry], plugins });
    return (await Promise.all(outputs.map((output) => output.text()))).join("\n");
  };
  return [await bundle([]), await bundle([withoutComments])];
}

/** What the binary will say of itself. */
async function definitions(info: Build): Promise<Record<string, string>> {
  const parts = await licenses(root, await embeddedParts(root));
  return { CHIME_BUILD: JSON.stringify(info), CHIME_LICENSES: JSON.stringify(parts) };
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

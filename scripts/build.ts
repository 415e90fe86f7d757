/**
 * Builds the binary: `scripts/build [--target linux-x64|linux-arm64]`.
 * Without --target: dist/chime-node for this machine. With it: dist/chime-node-TARGET, and dist/chime-node too where
 * the target is this machine's. Nothing is built while the inputs are unchanged.
 *
 * Or a release: `scripts/build --release DIR [--key FILE] [--trust PUB]… [--base-url URL]`, all that an operator
 * downloads, for every target.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildInfo, inputs } from "./build-info.ts";
import { compile, smoke } from "./compile.ts";
import { packageVersion, release, type ReleaseOptions } from "./release/release.ts";
import { allTargets, nativeTarget, targets, type Target } from "./targets.ts";

const root = resolve(import.meta.dir, "..");
const dist = join(root, "dist");

/** Of every file whose change can change the binary, and of what it says of itself. */
async function inputsHash(info: unknown): Promise<string> {
  const files: string[] = [];
  for (const input of inputs) {
    const glob = new Bun.Glob((await Bun.file(join(root, input)).exists()) ? input : `${input}/**/*`);
    files.push(...(await Array.fromAsync(glob.scan({ cwd: root, onlyFiles: true }))));
  }
  const hash = createHash("sha256").update(JSON.stringify(info));
  for (const file of files.sort()) {
    hash.update(`${file}\0`).update(await Bun.file(join(root, file)).bytes());
  }
  return hash.digest("hex");
}

/** Builds into a directory of its own and renames, so that a reader never sees half a binary. */
async function build(target: Target, names: readonly string[]): Promise<string[]> {
  const info = await buildInfo(root);
  const hash = await inputsHash(info);
  const stale: string[] = [];
  for (const name of names) {
    const stamp = Bun.file(join(dist, `.${name}.inputs`));
    const fresh = (await Bun.file(join(dist, name)).exists()) && (await stamp.exists());
    if (!fresh || (await stamp.text()) !== hash) stale.push(name);
  }
  if (stale.length === 0) return [];
  await mkdir(dist, { recursive: true });
  const work = await mkdtemp(join(dist, ".build-"));
  try {
    // The outfile's basename is part of the binary: the same one for all, so that builds are reproducible.
    const built = join(work, "chime-node");
    await compile(join(root, "src/main.ts"), built, { target, info });
    if (target === nativeTarget) await smoke(built, await packageVersion(root));
    for (const name of stale) {
      await copyFile(built, join(work, name === "chime-node" ? "copy" : name));
      await rename(join(work, name === "chime-node" ? "copy" : name), join(dist, name));
      await Bun.write(join(dist, `.${name}.inputs`), hash);
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

const usage = `usage: scripts/build [--target ${allTargets.join("|")}]
       scripts/build --release DIR [--key FILE] [--trust PUB]… [--base-url URL]`;

interface Given {
  target: Target | undefined;
  release: ReleaseOptions | undefined;
}

/** @throws Error for wrong usage */
function parse(): Given {
  const {
    target,
    release,
    key,
    trust = [],
    "base-url": baseUrl,
  } = parseArgs({
    options: {
      target: { type: "string" },
      release: { type: "string" },
      key: { type: "string" },
      trust: { type: "string", multiple: true },
      "base-url": { type: "string" },
    },
  }).values;
  if (target !== undefined && !Object.hasOwn(targets, target)) throw new Error(`unknown target ${target}`);
  if (release === undefined) {
    if (key ?? baseUrl ?? trust[0]) throw new Error("--key, --trust and --base-url belong to --release");
    return { target: target as Target | undefined, release };
  }
  if (target !== undefined) throw new Error("a release has all targets: leave --target out");
  if (release === "") throw new Error("--release needs a directory");
  if (baseUrl !== undefined && !/^https?:\/\/[^\s']+$/.test(baseUrl)) {
    throw new Error("--base-url takes an http or https address");
  }
  return { target: undefined, release: { directory: resolve(release), key, trust, baseUrl: baseUrl ?? "" } };
}

async function main(): Promise<number> {
  let given: Given;
  try {
    given = parse();
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return 2;
  }
  try {
    if (given.release) {
      for (const name of await release(given.release, console.error)) console.log(name);
      return 0;
    }
    const names = given.target === undefined || given.target === nativeTarget ? ["chime-node"] : [];
    if (given.target !== undefined) names.push(`chime-node-${given.target}`);
    const built = await build(given.target ?? nativeTarget, names);
    for (const name of names) console.log(`dist/${name}${built.includes(name) ? "" : " (unchanged)"}`);
    return 0;
  } catch (error) {
    console.error((error as Error).message);
    return 1;
  }
}

if (import.meta.main) process.exitCode = await main();

import { chmod, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { KeyObject } from "node:crypto";
import { aptInstall } from "../../test/lab/prerequisites.ts";
import type { Build } from "../../src/core/build.ts";
import { buildInfo } from "../build-info.ts";
import { compile, smoke } from "../compile.ts";
import { allTargets, nativeTarget } from "../targets.ts";
import { gzip, xz } from "./compress.ts";
import { bakeInstaller } from "./installer.ts";
import { oneLine, readPrivateKey, readPublicKey } from "../../src/bundle/keys.ts";
import { licenses } from "./licenses.ts";
import {
  digest,
  manifestName,
  renderManifest,
  renderSums,
  signatureName,
  signManifest,
  sumsName,
  type ReleaseFile,
} from "./manifest.ts";
import { embeddedParts } from "./parts.ts";
import { sbom } from "./sbom.ts";

const root = resolve(import.meta.dir, "../..");

export interface ReleaseOptions {
  directory: string;
  /** File with the Ed25519 private key; without it the release is unsigned and says so. */
  key: string | undefined;
  /** Files with public keys that are trusted beside the signing one: a rotation's other one. */
  trust: readonly string[];
  /** Where the directory will be served, for install.sh; empty: its --base-url must be given. */
  baseUrl: string;
}

/**
 * Builds everything an operator downloads into `directory`. Files of other names there are left alone.
 * @returns the names of the files
 * @throws Error when a build fails, a key is none, or xz cannot be had
 */
export async function release(options: ReleaseOptions, progress: (line: string) => void): Promise<string[]> {
  const key = options.key === undefined ? undefined : await readPrivateKey(options.key);
  const trusted = await Promise.all(options.trust.map(readPublicKey));
  const trustedKeys = [...new Set([...(key ? [oneLine(key)] : []), ...trusted])];
  await ensureXz(progress);
  const info = await buildInfo(root, trustedKeys);
  if (info.modified)
    progress("the checkout has changes that are in no commit: the release says so (modified)");
  if (!key) progress("no --key: this release is not signed, and install.sh will say so");

  await mkdir(options.directory, { recursive: true });
  const work = await mkdtemp(join(options.directory, ".build-"));
  try {
    const binaries: ReleaseFile[] = [];
    const packing: Promise<ReleaseFile>[] = [];
    const version = await packageVersion(root);
    for (const target of allTargets) {
      progress(`building chime-node ${version} for ${target}`);
      await mkdir(join(work, target));
      const built = join(work, target, "chime-node");
      await compile(join(root, "src/main.ts"), built, { target, info });
      if (target === nativeTarget) await smoke(built, version);
      const file = join(work, `chime-node-${target}`);
      await rename(built, file);
      packing.push(xz(file));
    }
    progress("packing: about two minutes");
    for (const target of allTargets) binaries.push(await gzip(join(work, `chime-node-${target}`)));
    binaries.push(...(await Promise.all(packing)));
    return await publish({ ...options, version, info, binaries, work, key });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** What a release is made of, once the binaries are packed. */
export interface Publication {
  directory: string;
  baseUrl: string;
  version: string;
  info: Build;
  /** Their files are in `work`, under their names. */
  binaries: readonly ReleaseFile[];
  work: string;
  key: KeyObject | undefined;
}

/** Writes the texts, signs, and moves all into place; install.sh last, because it names the others. */
export async function publish(options: Publication): Promise<string[]> {
  const { directory, baseUrl, version, info, work, key } = options;
  const { commit, modified, trustedKeys } = info;
  const parts = await embeddedParts(root);
  const files = options.binaries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const add = async (name: string, content: string) => {
    await Bun.write(join(work, name), content);
    files.push({ name, ...digest(content) });
  };
  await add("LICENSES.txt", await licenses(root, parts));
  await add("sbom.cdx.json", sbom({ version, commit }, parts));
  const script = await Bun.file(join(root, "install.sh")).text();
  await add("install.sh", bakeInstaller(script, { version, url: baseUrl, files, trustedKeys }));
  await chmod(join(work, "install.sh"), 0o755);

  const manifest = renderManifest({ product: "chime-node", version, commit, modified, files });
  await Bun.write(join(work, manifestName), manifest);
  await Bun.write(join(work, sumsName), renderSums([...files, { name: manifestName, ...digest(manifest) }]));
  // A signature of an earlier build is none of this one.
  await rm(join(directory, signatureName), { force: true });
  if (key) await Bun.write(join(work, signatureName), signManifest(manifest, key));

  const names = [...files.map(({ name }) => name), manifestName, sumsName, ...(key ? [signatureName] : [])];
  const last = "install.sh";
  for (const name of [...names.filter((one) => one !== last), last]) {
    await rename(join(work, name), join(directory, basename(name)));
  }
  return names.sort();
}

export async function packageVersion(checkout: string): Promise<string> {
  return ((await Bun.file(join(checkout, "package.json")).json()) as { version: string }).version;
}

async function ensureXz(progress: (line: string) => void): Promise<void> {
  if (!Bun.which("xz") && process.getuid?.() === 0 && Bun.which("apt-get")) {
    await aptInstall(["xz-utils"], progress);
  }
  if (!Bun.which("xz"))
    throw new Error("xz is not installed: install xz-utils (Debian) or xz, then run this again");
}

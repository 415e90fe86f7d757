import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import installer from "../../../install.sh" with { type: "text" };
import packageJson from "../../../package.json" with { type: "json" };
import { resolveClosure, type ClosurePackage } from "../../bundle/closure.ts";
import { readPrivateKey } from "../../bundle/keys.ts";
import { contentSize, programName, type Manifest } from "../../bundle/manifest.ts";
import { packBundle, type Packed } from "../../bundle/pack.ts";
import { packProgram, versionOf } from "../../bundle/program.ts";
import { poolName, renderPackages, renderRelease, renderSbom, sumOf } from "../../bundle/repository.ts";
import { wantedPackages } from "./wanted.ts";
import { debianArch, systemName, targetSystem, type TargetSystem } from "../../bundle/systems.ts";
import { build } from "../../core/build.ts";
import { usageError } from "../../core/errors.ts";
import { fileError, readText } from "../../host/files.ts";
import { repositoryName } from "../../host/packages/apt-sources.ts";
import { parseOsRelease } from "../../host/os.ts";
import type { Io } from "../io.ts";

export interface CreateOptions {
  os: string;
  arch: Manifest["arch"];
  role: readonly string[];
  config: string | undefined;
  set: readonly string[];
  addBinary: readonly string[];
  source: readonly string[];
  /** dpkg's status file of the nodes' image. */
  installed: string | undefined;
  key: string;
  output: string;
  /** The program that runs: it goes into the bundle where nothing else is named. */
  binary: string;
}

/** `bundle create --json`. */
export interface Created {
  file: string;
  id: string;
  system: string;
  arch: string;
  roles: readonly string[];
  packages: number;
  /** Bytes of the file, and of what is in it. */
  size: number;
  content: number;
}

/**
 * One file with all that nodes of a system need for these roles.
 * @throws ChimeError usage and config errors (exit 2), `bundle.vendor`, and what resolving and packing throw
 */
export async function createBundle(options: CreateOptions, io: Io): Promise<Created> {
  const { arch, output } = options;
  const system = targetSystem(options.os);
  const packages = await wantedPackages(options, system);
  const key = await readPrivateKey(options.key);
  const program = programOf(options);
  // Beside the result: /tmp may be small, or memory.
  const work = await mkdtemp(join(dirname(output), `.${basename(output)}.`)).catch((error: unknown) => {
    throw fileError(output, error);
  });
  try {
    io.progress("packing the program");
    const version = await programVersion(program, arch);
    const files = await ownFiles({ program, arch, version, work });
    const closure =
      packages.length === 0
        ? []
        : await resolveClosure({
            system,
            arch,
            packages,
            work,
            signal: io.signal,
            progress: io.progress,
            installed: options.installed,
            sources: await sourcesOf(options, system),
          });
    if (closure.length > 0) files.push(...(await repositoryFiles(closure, { system, arch, work, version })));
    io.progress(`writing ${output}`);
    const head: Omit<Manifest, "files"> = {
      format: 1,
      product: "chime-node bundle",
      version,
      system: system.name,
      arch,
      roles: options.role.toSorted(),
      packages: packages.toSorted(),
    };
    const made = await packBundle(output, { head, files, key });
    return {
      file: output,
      id: made.id,
      system: system.name,
      arch,
      roles: head.roles,
      packages: closure.length,
      size: made.size,
      content: contentSize(made.manifest),
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** `--add-binary chime-node=FILE`, or the program that runs. */
function programOf({ addBinary, arch, binary }: CreateOptions): string {
  const given = new Map<string, string>();
  for (const text of addBinary) {
    const [name = "", ...rest] = text.split("=");
    if (name !== "chime-node" || rest.join("=") === "" || given.has(name)) {
      throw usageError(
        "usage.bad_value",
        `--add-binary ${text}: must be chime-node=FILE, once`,
        "write it like --add-binary chime-node=dist/chime-node-linux-arm64",
      );
    }
    given.set(name, rest.join("="));
  }
  const program = given.get("chime-node");
  if (program !== undefined) return program;
  if (process.arch === arch) return binary;
  throw usageError(
    "bundle.other_arch",
    `this chime-node is for ${process.arch}, and the bundle is to be for ${arch}`,
    `add the other one: --add-binary chime-node=chime-node-linux-${arch}.gz`,
  );
}

/** What cannot be asked here is taken for one of this release. */
async function programVersion(program: string, arch: Manifest["arch"]): Promise<string> {
  const isOurs = process.arch === arch && !program.endsWith(".gz");
  return (isOurs ? await versionOf(program) : undefined) ?? packageJson.version;
}

/** First in the bundle, so that a minimal system finds them at once. */
async function ownFiles(of: {
  program: string;
  arch: Manifest["arch"];
  version: string;
  work: string;
}): Promise<Packed[]> {
  const { program, arch, version, work } = of;
  const about = { version, origin: build.commit === null ? "chime-node" : `chime-node ${build.commit}` };
  const name = programName(arch);
  return [
    { ...about, name: "install.sh", ...(await textFile(work, "install.sh", installer)) },
    { ...about, name, ...(await packProgram(program, arch, join(work, name))) },
  ];
}

async function repositoryFiles(
  closure: readonly ClosurePackage[],
  of: { system: TargetSystem; arch: Manifest["arch"]; work: string; version: string },
): Promise<Packed[]> {
  const { system, arch, work, version } = of;
  const index = renderPackages(closure);
  const release = renderRelease(index, { codename: system.os.codename, arch: debianArch[arch] });
  const about = { version, origin: "chime-node" };
  const sbom = renderSbom(closure, { version, commit: build.commit, vendor: system.os.id });
  return [
    { ...about, name: "sbom.cdx.json", ...(await textFile(work, "sbom.cdx.json", sbom)) },
    { ...about, name: inRepository("Packages"), ...(await textFile(work, "Packages", index)) },
    { ...about, name: inRepository("Release"), ...(await textFile(work, "Release", release)) },
    ...closure.map((one): Packed => {
      const sha256 = sumOf(one);
      return {
        version: one.version,
        origin: one.origin,
        name: inRepository(poolName(one)),
        path: one.path,
        size: Bun.file(one.path).size,
        ...(sha256 !== undefined && { sha256 }),
      };
    }),
  ];
}

const inRepository = (name: string): string => `${repositoryName}/${name}`;

async function textFile(work: string, name: string, text: string): Promise<{ path: string; size: number }> {
  const path = join(work, name);
  await writeFile(path, text);
  return { path, size: Buffer.byteLength(text) };
}

/** A machine that is of the target's system knows where its packages are; another one asks the distribution. */
async function sourcesOf(
  { source }: CreateOptions,
  system: TargetSystem,
): Promise<readonly string[] | undefined> {
  if (source.length > 0) return source;
  const own = parseOsRelease((await readText("/etc/os-release")) ?? "");
  return systemName(own) === system.name ? undefined : system.sources;
}

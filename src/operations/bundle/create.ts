import { join } from "node:path";
import packageJson from "../../../package.json" with { type: "json" };
import { addable, addedDirectory, addedProgram, type AddedProgram } from "../../bundle/added.ts";
import { readPrivateKey } from "../../bundle/keys.ts";
import { contentSize, type Manifest } from "../../bundle/manifest.ts";
import { versionOf } from "../../bundle/program.ts";
import { systemName, targetSystem, type TargetSystem } from "../../bundle/systems.ts";
import { usageError } from "../../core/errors.ts";
import { paths } from "../../core/paths.ts";
import { readText } from "../../host/files.ts";
import { parseOsRelease } from "../../host/os.ts";
import { packageManager } from "../../host/packages/index.ts";
import type { Io } from "../io.ts";
import { assembleBundle } from "./assemble.ts";
import { wantedPackages, type WantedPackages } from "./wanted.ts";

export interface CreateOptions {
  os: string;
  arch: Manifest["arch"];
  role: readonly string[];
  config: string | undefined;
  set: readonly string[];
  addBinary: readonly string[];
  source: readonly string[];
  /** The list of installed packages of the nodes' image: dpkg's status file, or one by `rpm -qa`. */
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
 * @throws ChimeError usage and config errors (exit 2), and what resolving and packing throw
 */
export async function createBundle(options: CreateOptions, io: Io): Promise<Created> {
  const { arch, output } = options;
  const system = targetSystem(options.os);
  const wanted = await wantedPackages(options, system);
  const key = await readPrivateKey(options.key);
  const given = givenPrograms(options.addBinary);
  requireServers(wanted, given, io);
  const path = given.get(ownName) ?? ownProgram(options);
  const added: AddedProgram[] = [];
  for (const [name, file] of given) {
    if (name !== ownName) added.push(await addedProgram(name, file, arch, io.signal));
  }
  const here = parseOsRelease((await readText("/etc/os-release")) ?? "");
  const made = await assembleBundle(
    output,
    {
      system,
      arch,
      roles: options.role,
      wanted,
      sources: sourcesOf(options, system, systemName(here)),
      installed: options.installed,
      program: { path, version: await programVersion(path, arch) },
      added,
      key,
    },
    (url) => packageManager(here.family).fetch(url, io),
    io,
  );
  const { id, manifest, size, packages } = made;
  return {
    file: output,
    id,
    system: system.name,
    arch,
    roles: manifest.roles,
    packages,
    size,
    content: contentSize(manifest),
  };
}

const ownName = "chime-node";

/** `--add-binary NAME=FILE`: files by name. @throws ChimeError `usage.bad_value` */
function givenPrograms(texts: readonly string[]): Map<string, string> {
  const known = [ownName, ...Object.keys(addable)];
  const given = new Map<string, string>();
  for (const text of texts) {
    const [name = "", ...rest] = text.split("=");
    const file = rest.join("=");
    if (!known.includes(name) || file === "" || given.has(name)) {
      throw usageError(
        "usage.bad_value",
        `--add-binary ${text}: must be NAME=FILE with ${known.join(" or ")} as NAME, each once`,
        "write it like --add-binary chime-node=dist/chime-node-linux-arm64",
      );
    }
    given.set(name, file);
  }
  return given;
}

/**
 * A server that no repository has is given, or brought to each node by the operator: a bundle without it is found out
 * in the rack.
 * @throws ChimeError `bundle.no_server` (exit 2)
 */
function requireServers({ servers }: WantedPackages, given: ReadonlyMap<string, string>, io: Io): void {
  for (const { name, role, path } of servers.filter((one) => !given.has(one.name))) {
    const remedy = `--add-binary ${name}=FILE puts it in`;
    if (path === undefined || path === join(paths.bundles, addedDirectory, name)) {
      throw usageError(
        "bundle.no_server",
        `no repository has a server for ${name}, and none is given: the bundle would hold none`,
        `${remedy}; where each node gets its own in another way: --set roles.${role}.binary=PATH`,
      );
    }
    io.warn(`the bundle holds no server for ${name}: each node needs ${path} before it joins; ${remedy}`);
  }
}

/** The program that runs. @throws ChimeError `bundle.other_arch` */
function ownProgram({ arch, binary }: CreateOptions): string {
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

/** A machine of the target's system knows where its packages are; another one asks the distribution, where it is one. */
function sourcesOf(
  { source }: CreateOptions,
  system: TargetSystem,
  here: string,
): readonly string[] | undefined {
  if (source.length > 0) return source;
  if (here === system.name) return undefined;
  if (system.sources.length > 0) return system.sources;
  throw usageError(
    "bundle.no_source",
    `nobody knows where the packages of the nodes' ${system.os.name} come from: it stands for several systems`,
    `name a file as in their /etc/yum.repos.d, with the keys that it names: --source ${system.sourceExample}`,
  );
}

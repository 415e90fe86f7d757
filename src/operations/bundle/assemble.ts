import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { KeyObject } from "node:crypto";
import installer from "../../../install.sh" with { type: "text" };
import { addedDirectory, type AddedProgram } from "../../bundle/added.ts";
import { aptClosure } from "../../bundle/apt-closure.ts";
import { poolName, type Closure, type ClosurePackage, type VendorSource } from "../../bundle/closure.ts";
import { dnfClosure } from "../../bundle/dnf-closure.ts";
import { cyclonedx, type Component } from "../../bundle/cyclonedx.ts";
import { renderLicenses } from "../../bundle/licenses.ts";
import { programName, type Manifest } from "../../bundle/manifest.ts";
import { packBundle, type Packed } from "../../bundle/pack.ts";
import { packProgram } from "../../bundle/program.ts";
import { packageFormat, type TargetSystem } from "../../bundle/systems.ts";
import { withKeys } from "../../bundle/vendors.ts";
import { build } from "../../core/build.ts";
import { licenses } from "../../core/licenses.ts";
import { fileError } from "../../host/files.ts";
import { repositoryName } from "../../host/packages/bundle-repositories.ts";
import type { Io } from "../io.ts";
import type { WantedPackages } from "./wanted.ts";

/** What a bundle is made of. */
export interface Parts {
  system: TargetSystem;
  arch: Manifest["arch"];
  roles: readonly string[];
  wanted: Pick<WantedPackages, "names" | "repositories">;
  /** Where the system's own packages come from; undefined: as this machine has it. */
  sources: readonly string[] | undefined;
  /** The list of installed packages of the nodes' image. */
  installed: string | undefined;
  program: { path: string; version: string };
  /** Servers of the operator's own. */
  added: readonly AddedProgram[];
  key: KeyObject;
}

/**
 * Brings together what nodes need, and writes it into one signed file.
 * @param fetch a vendor's small file
 * @throws ChimeError what resolving, fetching keys and packing throw
 */
export async function assembleBundle(
  output: string,
  parts: Parts,
  fetch: (url: string) => Promise<Uint8Array>,
  io: Pick<Io, "progress" | "signal">,
): Promise<{ id: string; manifest: Manifest; size: number; packages: number }> {
  const { system, arch, wanted, program, key } = parts;
  // Beside the result: /tmp may be small, or memory.
  const work = await mkdtemp(join(dirname(output), `.${basename(output)}.`)).catch((error: unknown) => {
    throw fileError(output, error);
  });
  try {
    const vendors = await withKeys(wanted.repositories, fetch, join(work, "keys"));
    io.progress("packing the program");
    const files = await programFiles(parts, work, io.signal);
    const closure: Closure =
      wanted.names.length === 0
        ? { packages: [], index: [] }
        : await (packageFormat(system) === "rpm" ? dnfClosure : aptClosure)({
            ...parts,
            packages: wanted.names,
            vendors,
            work,
            progress: io.progress,
            signal: io.signal,
          });
    files.push(...(await repositoryFiles(closure, vendors, parts, work)));
    io.progress(`writing ${output}`);
    const head: Omit<Manifest, "files"> = {
      format: 1,
      product: "chime-node bundle",
      version: program.version,
      system: system.name,
      arch,
      roles: parts.roles.toSorted(),
      packages: wanted.names.toSorted(),
    };
    return {
      ...(await packBundle(output, { head, files, key }, io.signal)),
      packages: closure.packages.length,
    };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** First in the bundle, so that a minimal system finds them at once. */
async function programFiles({ program, arch }: Parts, work: string, signal: AbortSignal): Promise<Packed[]> {
  const { version } = program;
  const about = { version, origin: build.commit === null ? "chime-node" : `chime-node ${build.commit}` };
  const name = programName(arch);
  return [
    { ...about, name: "install.sh", ...(await textFile(work, "install.sh", installer)) },
    { ...about, name, ...(await packProgram(program.path, arch, join(work, name), signal)) },
  ];
}

async function repositoryFiles(
  { packages, index }: Closure,
  vendors: readonly VendorSource[],
  parts: Parts,
  work: string,
): Promise<Packed[]> {
  const { system, program, added } = parts;
  const about = { version: program.version, origin: "chime-node" };
  const format = packageFormat(system);
  const add = async (name: string, text: string) => ({
    ...about,
    name,
    ...(await textFile(work, name, text)),
  });
  const licensed = [...packages, ...added.map((one) => ({ ...one, license: "" }))].map((one) => ({
    title: `${one.name} ${one.version}`,
    text: one.license,
  }));
  return [
    await add("LICENSES.txt", [licenses, renderLicenses(licensed)].join("\n")),
    ...(packages.length > 0 || added.length > 0
      ? [await add("sbom.cdx.json", renderSbom(packages, parts))]
      : []),
    ...added.map(({ name, ...one }) => ({
      ...one,
      origin: "given to bundle create",
      name: `${addedDirectory}/${name}`,
    })),
    ...vendors.map(({ name, key, keyFile }) => {
      const origin = key.url;
      return { version: key.fingerprint, origin, name: `keys/${name}.asc`, ...sized(keyFile) };
    }),
    ...index.map(({ name, path }) => ({ ...about, name: `${repositoryName}/${name}`, ...sized(path) })),
    ...packages.map(({ version, origin, path, sha256, ...one }) => {
      const name = `${repositoryName}/${poolName({ ...one, version }, format)}`;
      return { version, origin, name, sha256, ...sized(path) };
    }),
  ];
}

/** The bill of materials of packages and added programs. What chime-node is made of is in its own release's. */
function renderSbom(packages: readonly ClosurePackage[], { system, program, arch, added }: Parts): string {
  const own = `pkg:${packageFormat(system)}/${system.os.id}`;
  return cyclonedx({ version: program.version, commit: build.commit }, [
    ...packages.map((one) => component("library", own, one)),
    ...added.map((one) => component("application", "pkg:generic", { ...one, arch })),
  ]);
}

function component(
  type: Component["type"],
  kind: string,
  { name, version, arch, sha256 }: Pick<ClosurePackage, "name" | "version" | "arch" | "sha256">,
): Component {
  const purl = `${kind}/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${arch}`;
  return { type, name, version, purl, hash: { alg: "SHA-256", content: sha256 } };
}

const sized = (path: string): { path: string; size: number } => ({ path, size: Bun.file(path).size });

async function textFile(work: string, name: string, text: string): Promise<{ path: string; size: number }> {
  const path = join(work, name);
  await writeFile(path, text);
  return { path, size: Buffer.byteLength(text) };
}

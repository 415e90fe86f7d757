import { copyFile, mkdir, readdir, rename, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { refused, type ChimeError } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { fileError, readText } from "../host/files.ts";
import { classifyDnf, parseRpm, saidByDnf, unreachableRepository } from "../host/packages/dnf-output.ts";
import { repositoryFile } from "../host/packages/dnf-source.ts";
import { closureError } from "./closure-error.ts";
import { pool, poolName, type Closure, type ClosurePackage, type ClosureRequest } from "./closure.ts";
import { rpmArch, type TargetSystem } from "./systems.ts";

const downloadMs = 4 * 3_600_000;
/** 1980: the same packages give the same bytes. */
const modified = 315_532_800;

/**
 * What must be brought to a system of RPMs: dnf in a root of its own, with nothing installed. What a minimal system has
 * differs from one minor release to the next, so all of it is in the closure, but for what is there in the same version
 * by the list of installed ones. Wants root, as dnf does.
 * @throws ChimeError `exec.missing`, `bundle.unreachable`, `bundle.no_candidate`, `bundle.untrusted_package`,
 * `bundle.resolve`, `host.no_space`
 */
export async function dnfClosure(request: ClosureRequest): Promise<Closure> {
  const { work, packages, system, progress, signal } = request;
  const download = join(work, "download");
  progress(`fetching what ${system.os.name} lacks`);
  const argv = [...(await dnfCommand(request)), "install", "--downloadonly", `--destdir=${download}`];
  const wanted = [...packages, ...system.base];
  const { code, stdout, stderr } = await exec([...argv, ...wanted], {
    ok: "any",
    timeoutMs: downloadMs,
    signal,
  });
  if (code !== 0) throw dnfClosureError(system, `${stderr}\n${stdout}`);
  progress("making a repository of it");
  const repository = join(work, "repository");
  await mkdir(join(repository, pool), { recursive: true });
  const found = await collect(download, repository, request);
  return { packages: found, index: await createIndex(repository, signal) };
}

/** dnf for the target's CPU and release, with its repositories and the vendors'. */
async function dnfCommand({ work, arch, system, sources, vendors }: ClosureRequest): Promise<string[]> {
  const own = join(work, "repositories");
  await mkdir(own);
  for (const file of sources ?? []) {
    await copyFile(file, join(own, basename(file))).catch((error: unknown) => {
      throw fileError(file, error);
    });
  }
  for (const vendor of vendors) {
    await writeFile(
      join(own, `${vendor.name}.repo`),
      repositoryFile(vendor, { key: vendor.keyFile, enabled: true }),
    );
  }
  const directories = sources ? [own] : [own, "/etc/yum.repos.d"];
  const major = system.os.versionId;
  return [
    "dnf",
    "-y",
    "--noplugins",
    `--installroot=${join(work, "root")}`,
    `--releasever=${major}`,
    `--forcearch=${rpmArch[arch]}`,
    `--setopt=module_platform_id=platform:el${major}`,
    `--setopt=reposdir=${directories.join(",")}`,
    `--setopt=cachedir=${join(work, "cache")}`,
    "--setopt=install_weak_deps=False",
    ...vendors.flatMap(({ hides }) => hides.map((pattern) => `--exclude=${pattern}`)),
  ];
}

/** What was downloaded, moved to where the repository has it. */
async function collect(
  download: string,
  repository: string,
  { installed, signal }: ClosureRequest,
): Promise<ClosurePackage[]> {
  const there = await installedVersions(installed);
  const format = "%{NAME}\\t%{EVR}\\t%{ARCH}\\t%{VENDOR}\\t%{LICENSE}\\n";
  const found: ClosurePackage[] = [];
  for (const file of (await readdir(download)).filter((name) => name.endsWith(".rpm"))) {
    const path = join(download, file);
    // dnf checked its signature with the keys of its repository; this machine's rpm knows none of them.
    const { stdout } = await exec(["rpm", "-qp", "--nosignature", `--qf=${format}`, path], { signal });
    const [name = "", version = "", arch = "", vendor = "", license = ""] = stdout.trimEnd().split("\t");
    if (there.get(name) === version) continue;
    const sha256 = new Bun.CryptoHasher("sha256");
    for await (const chunk of Bun.file(path).stream()) sha256.update(chunk);
    const target = join(repository, poolName({ name, version, arch }, "rpm"));
    await rename(path, target);
    await utimes(target, modified, modified);
    const origin = vendor.replaceAll(/[^ -~]/g, "?").slice(0, 200);
    found.push({ name, version, arch, origin, path: target, sha256: sha256.digest("hex"), license });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A list of names and versions as `rpm -qa` prints it in our format. */
async function installedVersions(file: string | undefined): Promise<Map<string, string>> {
  if (file === undefined) return new Map();
  const text = await readText(file, 16 << 20);
  if (text === undefined) throw refused("bundle.no_file", `there is no file ${file}`);
  return parseRpm(text);
}

async function createIndex(repository: string, signal: AbortSignal): Promise<Closure["index"]> {
  const same = [`--revision=${modified}`, "--set-timestamp-to-revision", "--simple-md-filenames"];
  const argv = ["createrepo_c", "-q", "--no-database", "--general-compress-type=gz", ...same, repository];
  await exec(argv, { timeoutMs: 600_000, signal });
  const names = (await readdir(join(repository, "repodata"))).sort();
  return names.map((name) => ({ name: `repodata/${name}`, path: join(repository, "repodata", name) }));
}

function dnfClosureError(system: TargetSystem, output: string): ChimeError {
  return closureError(system, {
    kind: classifyDnf(output),
    why: saidByDnf(output),
    place: unreachableRepository(output),
  });
}

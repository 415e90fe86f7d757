import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failed, type ChimeError } from "../core/errors.ts";
import { classify, unreachablePlace } from "../host/packages/apt-output.ts";
import { fieldOf, renderPackages, renderRelease, type AptPackage } from "./apt-repository.ts";
import { makeAptRoot } from "./apt-root.ts";
import { minimalStatus, parseSimulation, type Planned } from "./apt-simulation.ts";
import { closureError } from "./closure-error.ts";
import type { Closure, ClosurePackage, ClosureRequest } from "./closure.ts";
import { debLicense } from "./deb-license.ts";
import { debianArch, type TargetSystem } from "./systems.ts";

const updateMs = 600_000;
const downloadMs = 4 * 3_600_000;

type Must = (argv: readonly string[], timeoutMs?: number) => Promise<string>;

/**
 * What must be brought to a freshly installed system, whatever this machine is and has: apt in a root of its own, with
 * the target's sources and a list of installed packages that is the target's minimal image. That one counts as it was
 * when its release first came out, so that what later packages need of it in a newer version is in the closure, too.
 * @throws ChimeError `exec.missing`, `bundle.unreachable`, `bundle.no_candidate`, `bundle.resolve`, `host.no_space`
 */
export async function aptClosure(request: ClosureRequest): Promise<Closure> {
  const { system, packages, work, progress } = request;
  const apt = await makeAptRoot(request);
  const must: Must = async (argv, timeoutMs) => {
    const { code, stdout, stderr } = await apt(argv, timeoutMs);
    if (code !== 0) throw aptError(system, `${stderr}\n${stdout}`);
    return stdout;
  };
  progress(`fetching the package lists of ${system.os.name}`);
  const updated = await apt(["apt-get", "update", "-q"], updateMs);
  // apt-get exits 0 where it could not reach a source and goes on with what it has: here nothing may be missing.
  const said = `${updated.stderr}\n${updated.stdout}`;
  if (updated.code !== 0 || classify(said) !== "other") throw aptError(system, said);

  progress("finding out what the target lacks");
  if (request.installed === undefined) {
    const minimal = ["apt", "?or(?essential,?priority(required))", ...system.base];
    const base = parseSimulation(await must(["apt-get", "-s", "install", ...minimal]));
    await writeFile(join(work, "status"), minimalStatus(await records(must, base)));
  }
  const planned = parseSimulation(await must(["apt-get", "-s", "install", ...packages]));
  const paragraphs = await records(must, planned);
  const found = planned.map((one, at): AptPackage => ({ ...one, record: paragraphs[at] ?? "" }));
  progress(`downloading ${planned.length} packages`);
  await must(["apt-get", "download", "-q", ...planned.map(pinned)], downloadMs);
  return { packages: await described(found, request), index: await writeIndex(found, request) };
}

/** What was downloaded, with its licences. */
async function described(
  found: readonly AptPackage[],
  { work, progress, signal }: ClosureRequest,
): Promise<ClosurePackage[]> {
  const directory = join(work, "download");
  const files = await readdir(directory);
  progress("reading the packages' licences");
  const bySource = new Map<string, string>();
  const packages: (ClosurePackage & { source: string })[] = [];
  for (const one of found) {
    // apt writes the colon of an epoch as %3a.
    const file = `${one.name}_${one.version.replaceAll(":", "%3a")}_${one.arch}.deb`;
    const sha256 = fieldOf(one, "SHA256");
    if (!files.includes(file) || sha256 === undefined) {
      throw failed("bundle.resolve", `apt-get brought no ${file}`, "run this again with --verbose");
    }
    const path = join(directory, file);
    const license = await debLicense(path, signal);
    const source = fieldOf(one, "Source")?.replace(/ .*/, "") ?? one.name;
    if (license !== "") bySource.set(source, license);
    const { name, version, arch, origin } = one;
    packages.push({ name, version, arch, origin, path, sha256, license, source });
  }
  return packages.map(({ source, license, ...one }) => ({
    ...one,
    license: license || (bySource.get(source) ?? ""),
  }));
}

async function writeIndex(
  found: readonly AptPackage[],
  { system, arch, work }: ClosureRequest,
): Promise<Closure["index"]> {
  const packages = renderPackages(found);
  const release = renderRelease(packages, { codename: system.os.codename, arch: debianArch[arch] });
  const texts = Object.entries({ Packages: packages, Release: release });
  await Promise.all(texts.map(([name, text]) => writeFile(join(work, name), text)));
  return texts.map(([name]) => ({ name, path: join(work, name) }));
}

const pinned = ({ name, version }: Planned): string => `${name}=${version}`;

/** The index's paragraphs of these packages, in their order. */
async function records(must: Must, of: readonly Planned[]): Promise<string[]> {
  if (of.length === 0) return [];
  const text = await must(["apt-cache", "show", "--no-all-versions", ...of.map(pinned)]);
  const byName = new Map(
    text
      .trim()
      .split(/\n\n+/)
      .map((paragraph) => [/^Package: (\S+)$/m.exec(paragraph)?.[1], `${paragraph}\n`]),
  );
  return of.map(({ name }) => byName.get(name) ?? "");
}

function aptError(system: TargetSystem, output: string): ChimeError {
  const reason = output.split("\n").find((line) => /^(E|W|Err):? ?/.test(line)) ?? output.trim().slice(-200);
  const why = reason.replace(/^(E|W): /, "");
  return closureError(system, { kind: classify(output), why, place: unreachablePlace(output) });
}

import { copyFile, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { failed, type ChimeError } from "../core/errors.ts";
import { exec } from "../core/exec.ts";
import { fileError } from "../host/files.ts";
import { classify, unreachablePlace } from "../host/packages/apt-output.ts";
import { minimalStatus, parseSimulation, type Planned } from "./simulation.ts";
import { debianArch, type TargetSystem } from "./systems.ts";

export interface ClosureRequest {
  system: TargetSystem;
  arch: keyof typeof debianArch;
  /** Packages that are wanted. */
  packages: readonly string[];
  /** Lines of sources.list(5); undefined: the sources that this machine itself is configured with. */
  sources: readonly string[] | undefined;
  /** dpkg's status file of the image that the target has; undefined: a minimal one, freshly installed. */
  installed: string | undefined;
  /** An empty directory of our own. */
  work: string;
  readonly progress: (line: string) => void;
  signal: AbortSignal;
}

/** A downloaded package. */
export interface ClosurePackage extends Planned {
  path: string;
  /** Its paragraph in the repository's index. */
  record: string;
}

const updateMs = 600_000;
const downloadMs = 4 * 3_600_000;

/**
 * What must be brought to a freshly installed system, whatever this machine is and has: apt in a root of its own, with
 * the target's sources and a list of installed packages that is the target's minimal image. That one counts as it was
 * when its release first came out, so that what later packages need of it in a newer version is in the closure, too.
 * @throws ChimeError `exec.missing`, `bundle.unreachable`, `bundle.no_candidate`, `bundle.resolve`, `host.no_space`
 */
export async function resolveClosure(request: ClosureRequest): Promise<ClosurePackage[]> {
  const { system, packages, work, progress } = request;
  const apt = await makeRoot(request);
  const must = async (argv: readonly string[], timeoutMs?: number) => {
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

  progress(`downloading ${planned.length} packages`);
  const directory = join(work, "download");
  await mkdir(directory);
  await must(["apt-get", "download", "-q", ...planned.map(pinned)], downloadMs);
  const files = await readdir(directory);
  return planned.map((one, at) => {
    // apt writes the colon of an epoch as %3a.
    const name = `${one.name}_${one.version.replaceAll(":", "%3a")}_${one.arch}.deb`;
    const record = paragraphs[at] ?? "";
    if (!files.includes(name) || record === "") {
      throw failed("bundle.resolve", `apt-get brought no ${name}`, "run this again with --verbose");
    }
    return { ...one, path: join(directory, name), record };
  });
}

type Apt = (
  argv: readonly string[],
  timeoutMs?: number,
) => Promise<{ code: number; stdout: string; stderr: string }>;

/** apt's configuration of this machine does not count, but for how it reaches the network. */
async function makeRoot({ work, arch, sources, installed, signal }: ClosureRequest): Promise<Apt> {
  for (const path of ["state/lists/partial", "cache/archives/partial"]) {
    await mkdir(join(work, path), { recursive: true });
  }
  await (installed === undefined
    ? writeFile(join(work, "status"), "")
    : copyFile(installed, join(work, "status")).catch((error: unknown) => {
        throw fileError(installed, error);
      }));
  await rm(join(work, "download"), { recursive: true, force: true });
  const { stdout } = await exec(["apt-config", "dump", "Acquire"], { signal });
  const network = stdout.split("\n").filter((line) => /^Acquire::(https?|Retries)\b/.test(line));
  const own = [
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'Dir::Etc::preferences "/dev/null";',
    'Dir::Etc::preferencesparts "/dev/null";',
    `Dir::State "${work}/state";`,
    `Dir::State::status "${work}/status";`,
    `Dir::Cache "${work}/cache";`,
    `APT::Architecture "${debianArch[arch]}";`,
    `APT::Architectures { "${debianArch[arch]}"; };`,
    'APT::Install-Recommends "false";',
    // Its own user cannot come into a directory of ours. What it brings is checked against signed sums.
    'APT::Sandbox::User "root";',
    'Acquire::Languages "none";',
  ];
  if (sources) {
    await writeFile(join(work, "sources.list"), `${sources.join("\n")}\n`);
    own.push(`Dir::Etc::sourcelist "${work}/sources.list";`, 'Dir::Etc::sourceparts "/dev/null";');
  }
  const config = join(work, "apt.conf");
  await writeFile(config, `${[...network, ...own].join("\n")}\n`);
  return async (argv, timeoutMs = 120_000) => {
    const downloads = argv[1] === "download";
    const cwd = downloads ? join(work, "download") : work;
    return exec(argv, { env: { APT_CONFIG: config }, cwd, timeoutMs, signal, ok: "any" });
  };
}

const pinned = ({ name, version }: Planned): string => `${name}=${version}`;

/** The index's paragraphs of these packages, in their order. */
async function records(
  must: (argv: readonly string[]) => Promise<string>,
  of: readonly Planned[],
): Promise<string[]> {
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
  switch (classify(output)) {
    case "no_space":
      return failed("host.no_space", "no space left while the packages were downloaded", "free some (df -h)");
    case "unreachable":
      return failed(
        "bundle.unreachable",
        `the package repository ${unreachablePlace(output) ?? system.os.name} does not answer, or not with what it should: ${why}`,
        "check the network, or name another repository: --source 'deb …'",
      );
    case "unknown":
      return failed(
        "bundle.no_candidate",
        `the repositories of ${system.os.name} do not have all that is wanted: ${why}`,
        "name one that has it: --source 'deb …'",
      );
    default:
      return failed(
        "bundle.resolve",
        `apt cannot put the packages together: ${why}`,
        "run this again with --verbose",
      );
  }
}

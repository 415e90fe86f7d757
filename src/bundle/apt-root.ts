import { copyFile, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../core/exec.ts";
import { fileError, readText } from "../host/files.ts";
import { aptSource } from "../host/packages/apt-source.ts";
import type { ClosureRequest, VendorSource } from "./closure.ts";
import { debianArch } from "./systems.ts";

/** Runs one of apt's programs. */
export type Apt = (
  argv: readonly string[],
  timeoutMs?: number,
) => Promise<{ code: number; stdout: string; stderr: string }>;

/**
 * apt in a root of its own, for the target's CPU and with its sources. Its configuration of this machine does not count,
 * but for how it reaches the network.
 * @throws ChimeError `exec.missing`, `file.*`
 */
export async function makeAptRoot(request: ClosureRequest): Promise<Apt> {
  const { work, arch, installed, signal } = request;
  for (const path of ["state/lists/partial", "cache/archives/partial", "download"]) {
    await mkdir(join(work, path), { recursive: true });
  }
  await (installed === undefined
    ? writeFile(join(work, "status"), "")
    : copyFile(installed, join(work, "status")).catch((error: unknown) => {
        throw fileError(installed, error);
      }));
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
    `Dir::Etc::sourcelist "${work}/sources.list";`,
    ...(request.sources ? ['Dir::Etc::sourceparts "/dev/null";'] : []),
  ];
  await writeFile(join(work, "sources.list"), `${(await sourceLines(request)).join("\n")}\n`);
  const config = join(work, "apt.conf");
  await writeFile(config, `${[...network, ...own].join("\n")}\n`);
  return async (argv, timeoutMs = 120_000) => {
    const cwd = argv[1] === "download" ? join(work, "download") : work;
    return exec(argv, { env: { APT_CONFIG: config }, cwd, timeoutMs, signal, ok: "any" });
  };
}

async function sourceLines({ sources, vendors }: ClosureRequest): Promise<string[]> {
  if (sources) return [...sources, ...vendors.map(lineOf)];
  const lines = [(await readText("/etc/apt/sources.list")) ?? ""];
  for (const vendor of vendors) {
    // This machine may be a node that has it: apt takes no repository twice with different keys.
    if (!(await Bun.file(aptSource(vendor).path).exists())) lines.push(lineOf(vendor));
  }
  return lines;
}

const lineOf = ({ uri, suite, component, keyFile }: VendorSource): string =>
  `deb [signed-by=${keyFile}] ${uri} ${suite} ${component}`;

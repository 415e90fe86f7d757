import packageJson from "../../../package.json" with { type: "json" };
import type { Manifest } from "../../bundle/manifest.ts";
import { poolStem } from "../../bundle/closure.ts";
import { versionOf } from "../../bundle/program.ts";
import { systemName } from "../../bundle/systems.ts";
import { refused } from "../../core/errors.ts";
import { paths } from "../../core/paths.ts";
import { readText } from "../../host/files.ts";
import { parseOsRelease } from "../../host/os.ts";
import { repositoryName } from "../../host/packages/bundle-repositories.ts";
import { packageManager } from "../../host/packages/index.ts";

/** What a machine is, as far as it decides which bundles are for it. */
export interface Here {
  /** `debian12`. */
  system: string;
  arch: string;
  /** Of chime-node. */
  version: string;
  /** Versions of those of a bundle's packages that are installed. */
  packages: ReadonlyMap<string, string>;
  /** As its package manager counts. */
  readonly isOlder: (version: string, than: string) => Promise<boolean>;
}

/**
 * @param taken with its program, or the packages alone: then an older program does not matter
 * @throws ChimeError `bundle.other_system`, `bundle.other_arch`, `bundle.older` (exit 3)
 */
export async function requireFitting(manifest: Manifest, taken: "whole" | "packages"): Promise<void> {
  const os = parseOsRelease((await readText("/etc/os-release")) ?? "");
  const here = { system: systemName(os), arch: process.arch };
  requireSystem(here, manifest);
  const manager = packageManager(os.family);
  const packages = await manager.installed(manifest.packages);
  const isOlder: Here["isOlder"] = (version, than) => manager.isOlder(version, than);
  const version = taken === "whole" ? await presentVersion() : manifest.version;
  await requireFittingFor({ ...here, version, packages, isOlder }, manifest);
}

/** The same for a machine that is told. */
export async function requireFittingFor(here: Here, manifest: Manifest): Promise<void> {
  requireSystem(here, manifest);
  const { version } = manifest;
  if (Bun.semver.order(version, here.version) < 0) throw older(`chime-node ${version}`, here.version);
  for (const [name, installed] of here.packages) {
    const bundled = manifest.files.find((one) =>
      one.name.startsWith(`${repositoryName}/${poolStem({ name, version: one.version })}_`),
    )?.version;
    if (bundled === undefined) continue;
    if (await here.isOlder(bundled, installed)) throw older(`${name} ${bundled}`, installed);
  }
}

function requireSystem(here: Pick<Here, "system" | "arch">, { system, arch }: Manifest): void {
  if (system !== here.system) throw unfit("bundle.other_system", `for ${system}, and this is ${here.system}`);
  if (arch !== here.arch) throw unfit("bundle.other_arch", `for ${arch}, and this is ${here.arch}`);
}

/** Of the program in its place; install.sh lets the one in the bundle import it. */
async function presentVersion(): Promise<string> {
  if (process.execPath === paths.binary) return packageJson.version;
  return (await versionOf(paths.binary)) ?? packageJson.version;
}

function older(bundled: string, installed: string) {
  return unfit(
    "bundle.older",
    `older than what is installed: it has ${bundled}, and this node has ${installed}`,
  );
}

function unfit(code: string, why: string) {
  return refused(code, `the bundle is ${why}`, "make one for this node: chime-node bundle create --help");
}

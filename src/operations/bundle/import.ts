import packageJson from "../../../package.json" with { type: "json" };
import { readPublicKey, type PublicKey } from "../../bundle/keys.ts";
import type { Manifest } from "../../bundle/manifest.ts";
import type { Opened } from "../../bundle/read.ts";
import { importBundle, storedBundles } from "../../bundle/store.ts";
import { systemName } from "../../bundle/systems.ts";
import { refused } from "../../core/errors.ts";
import { exec } from "../../core/exec.ts";
import { withLock } from "../../core/lock.ts";
import { paths } from "../../core/paths.ts";
import { readText } from "../../host/files.ts";
import { repositoryName } from "../../host/packages/apt-sources.ts";
import { packageManager } from "../../host/packages/index.ts";
import { parseOsRelease } from "../../host/os.ts";
import { requireRoot } from "../context.ts";
import type { Io } from "../io.ts";
import { describe, type Described } from "./describe.ts";
import { rememberKeys, trustHere } from "./trust.ts";

/** `bundle import --json`. */
export interface Imported extends Described {
  signer: PublicKey;
  /** False where it had been imported before. */
  new: boolean;
}

/**
 * Makes a bundle's packages this node's to install. Nothing of it stays where it is refused.
 * @param trust public keys (files or lines) that count from now on, if one of them has signed
 * @throws ChimeError `bundle.*` (exit 3), `bundle.bad_key` (exit 2), `host.*`
 */
export async function importHere(file: string, trust: readonly string[], io: Io): Promise<Imported> {
  requireRoot();
  const given = await Promise.all(trust.map(readPublicKey));
  return withLock("bundle", "bundle import", async () => {
    const { keys, revoked } = await trustHere();
    io.progress(`checking ${file} and copying it to ${paths.bundles}`);
    const opened = await importBundle(
      file,
      paths.bundles,
      { keys: [...given, ...keys], revoked },
      ({ manifest }: Opened) => requireFitting(manifest),
    );
    if (given.includes(opened.signer)) await rememberKeys([opened.signer]);
    return { ...describe(opened), signer: opened.signer, new: opened.isNew };
  });
}

/** `bundle list --json`. */
export async function listBundles(): Promise<Described[]> {
  requireRoot();
  return (await storedBundles(paths.bundles)).map(describe);
}

/** @throws ChimeError `bundle.other_system`, `bundle.other_arch`, `bundle.older` */
export async function requireFitting(manifest: Manifest): Promise<void> {
  const { system, arch, version } = manifest;
  const here = systemName(parseOsRelease((await readText("/etc/os-release")) ?? ""));
  if (system !== here) throw unfit("bundle.other_system", `for ${system}, and this is ${here}`);
  if (arch !== process.arch) throw unfit("bundle.other_arch", `for ${arch}, and this is ${process.arch}`);
  const present = await presentVersion();
  if (Bun.semver.order(version, present) < 0) {
    throw unfit(
      "bundle.older",
      `older than what is installed: it has chime-node ${version}, and this node ${present}`,
    );
  }
  const there = await packageManager("debian").installed(manifest.packages);
  for (const [name, installed] of there) {
    const file = `${repositoryName}/pool/${name}_`;
    const bundled = manifest.files.find((one) => one.name.startsWith(file))?.version;
    if (bundled === undefined) continue;
    const { code } = await exec(["dpkg", "--compare-versions", bundled, "lt", installed], { ok: [0, 1] });
    if (code !== 0) continue;
    throw unfit(
      "bundle.older",
      `older than what is installed: it has ${name} ${bundled}, and this node ${installed}`,
    );
  }
}

/** Of the program in its place; install.sh lets the one in the bundle import it. */
async function presentVersion(): Promise<string> {
  const { code, stdout } = await exec([paths.binary, "--version"], { ok: "any", timeoutMs: 10_000 });
  return (code === 0 && /^chime-node (\d\S*)$/m.exec(stdout)?.[1]) || packageJson.version;
}

function unfit(code: string, why: string) {
  return refused(code, `the bundle is ${why}`, "make one for this node: chime-node bundle create --help");
}

import { refused } from "../../core/errors.ts";
import { aptFrom } from "./apt.ts";
import { bundleSources, systemSources } from "./apt-sources.ts";
import { onlyBundled, preferBundled } from "./bundled.ts";
import { dnfFrom } from "./dnf.ts";
import { bundleRepositories, systemRepositories } from "./dnf-repositories.ts";
import type { PackageManager, PackageSource } from "./types.ts";

const apt = aptFrom(() => Promise.resolve(systemSources));
const bundledApt = aptFrom(() => bundleSources());
const dnf = dnfFrom(() => Promise.resolve(systemRepositories));
const bundledDnf = dnfFrom(() => bundleRepositories());

const managers: Partial<Record<string, Record<PackageSource, PackageManager>>> = {
  debian: {
    auto: preferBundled(bundledApt, apt),
    os: apt,
    // Its repository is among the system's: the resource `repository` added it.
    vendor: apt,
    bundle: onlyBundled(bundledApt),
  },
  el: { auto: preferBundled(bundledDnf, dnf), os: dnf, vendor: dnf, bundle: onlyBundled(bundledDnf) },
};

/**
 * By `Facts.os.family`, and for what installs by `cluster.packages`, too.
 * @throws ChimeError `host.unsupported`
 */
export function packageManager(family: string, from: PackageSource = "os"): PackageManager {
  const manager = managers[family]?.[from];
  if (!manager) throw refused("host.unsupported", `packages of this system (${family}) cannot be installed`);
  return manager;
}

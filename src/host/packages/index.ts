import { refused } from "../../core/errors.ts";
import { aptFrom } from "./apt.ts";
import { bundleSources, systemSources } from "./apt-sources.ts";
import { onlyBundled, preferBundled } from "./bundled.ts";
import { dnf } from "./dnf.ts";
import type { PackageManager, PackageSource } from "./types.ts";

const apt = aptFrom(() => Promise.resolve(systemSources));
const bundledApt = aptFrom(() => bundleSources());

/** A source that is missing cannot be had there. */
const managers: Partial<Record<string, Partial<Record<PackageSource, PackageManager>>>> = {
  debian: {
    auto: preferBundled(bundledApt, apt),
    os: apt,
    // Its repository is among the system's: the resource `repository` added it.
    vendor: apt,
    bundle: onlyBundled(bundledApt),
  },
  el: { auto: dnf, os: dnf, vendor: dnf },
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

/** Pure readers of what apt-get and apt-cache print under LC_ALL=C.UTF-8. */

/** A package that an installation would bring. */
export interface Planned {
  name: string;
  version: string;
  /** As Debian calls it, or `all`. */
  arch: string;
  /** The release that it comes from, e.g. `Debian:12.11/stable`. */
  origin: string;
}

/** `apt-get --simulate install`, e.g. `Inst perl [5.36.0-7] (5.36.0-7+deb12u2 Debian:12.11/stable [amd64]) []`. */
export function parseSimulation(text: string): Planned[] {
  const planned = text.split("\n").flatMap((line) => {
    const match = /^Inst (\S+?)(?::\S+)? (?:\[[^\]]*\] )?\((\S+) (.*?) ?\[(\w+)\]\)/.exec(line);
    const [, name, version, origin = "", arch] = match ?? [];
    return name && version && arch ? [{ name, version, arch, origin: origin.split(", ")[0] ?? "" }] : [];
  });
  return planned.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Packages by their index paragraphs as dpkg's list of installed ones (deb-control(5), dpkg's status file), each as old
 * as an image of its release can have it. What they need does not stand there: they are installed, whatever they need.
 */
export function minimalStatus(records: readonly string[]): string {
  return records
    .map((record) => {
      const kept = record
        .split("\n")
        .filter((line) => /^(Package|Architecture|Multi-Arch|Provides): /.test(line));
      const version = /^Version: (\S+)$/m.exec(record)?.[1] ?? "0";
      const fixed = ["Status: install ok installed", "Maintainer: -", "Description: -"];
      return `${[...kept, ...fixed, `Version: ${firstVersion(version)}`].join("\n")}\n`;
    })
    .join("\n");
}

/**
 * The version that a release began with. Debian appends `+debNuM` for a change within a release, Ubuntu a number behind
 * `ubuntuN`; `~debNuM` and `ubuntu0.N` are newer versions from elsewhere, and what was before them cannot be known.
 */
export function firstVersion(version: string): string {
  if (/~deb\d+u\d+|ubuntu0\.\d/.test(version)) return "0";
  return version.replace(/\+deb\d+u\d+(\+b\d+)?$/, "").replace(/(ubuntu\d+)\.[\d.]+$/, "$1");
}

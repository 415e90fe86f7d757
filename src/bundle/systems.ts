import { usageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Facts } from "../host/facts.ts";
import { systemKey } from "../host/os.ts";
import type { PackageFormat } from "./closure.ts";

/** A system that bundles can be made for. */
export interface TargetSystem {
  /** As `bundle create --os` takes it. */
  name: string;
  os: Facts["os"];
  /** How an operator names a repository of it: a line of sources.list(5), or a file for dnf. */
  sourceExample: string;
  /** Where its packages come from, if nobody says otherwise; none, where that differs between those that it stands for. */
  sources: readonly string[];
  /** What every node of it has and the package manager alone would not know, or would pick something larger for. */
  base: readonly string[];
}

function debian(versionId: string, codename: string, base: readonly string[]): TargetSystem {
  const signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
  return {
    name: `debian${versionId}`,
    os: { id: "debian", versionId, codename, family: "debian", name: `Debian ${versionId} (${codename})` },
    sourceExample: "'deb …'",
    sources: [
      `deb ${signed} http://deb.debian.org/debian ${codename} main`,
      `deb ${signed} http://deb.debian.org/debian ${codename}-updates main`,
      `deb ${signed} http://security.debian.org/debian-security ${codename}-security main`,
    ],
    base,
  };
}

function ubuntu(versionId: string, codename: string): TargetSystem {
  const signed = "[signed-by=/usr/share/keyrings/ubuntu-archive-keyring.gpg]";
  const from = (suite: string) =>
    `deb ${signed} http://archive.ubuntu.com/ubuntu ${codename}${suite} main universe`;
  return {
    name: `ubuntu${versionId}`,
    os: { id: "ubuntu", versionId, codename, family: "debian", name: `Ubuntu ${versionId} (${codename})` },
    sourceExample: "'deb …'",
    sources: ["", "-updates", "-security"].map(from),
    base: [],
  };
}

/** With its SELinux policy: what packages need only where that is there belongs to a bundle, too. */
function enterpriseLinux(major: string): TargetSystem {
  return {
    name: `el${major}`,
    os: { id: "rhel", versionId: major, codename: "", family: "el", name: `Enterprise Linux ${major}` },
    sourceExample: "FILE.repo",
    sources: [],
    base: ["selinux-policy-targeted"],
  };
}

const targetSystems: readonly TargetSystem[] = [
  debian("12", "bookworm", ["usr-is-merged"]),
  debian("13", "trixie", []),
  ubuntu("22.04", "jammy"),
  ubuntu("24.04", "noble"),
  ...["8", "9", "10"].map(enterpriseLinux),
];

/** @throws ChimeError `bundle.unknown_system` (exit 2) */
export function targetSystem(name: string): TargetSystem {
  const found = targetSystems.find((system) => system.name === name);
  if (found) return found;
  const names = targetSystems.map((system) => system.name);
  throw usageError(
    "bundle.unknown_system",
    `bundles are made for ${names.join(", ")}, not for ${name}`,
    `--os ${nearest(name, names) ?? names[0]}`,
  );
}

/** How a bundle names this machine's system: `debian12`. */
export function systemName(os: Facts["os"]): string {
  return systemKey(os).replace("-", "");
}

/** What a system's packages are. */
export function packageFormat({ os }: Pick<TargetSystem, "os">): PackageFormat {
  return os.family === "el" ? "rpm" : "deb";
}

/** What Debian calls a CPU. */
export const debianArch = { x64: "amd64", arm64: "arm64" } as const;
/** What RPMs call it. */
export const rpmArch = { x64: "x86_64", arm64: "aarch64" } as const;

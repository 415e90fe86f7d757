import type { Repository } from "../host/packages/types.ts";
import type { Manifest } from "./manifest.ts";
import type { TargetSystem } from "./systems.ts";

export type Arch = Manifest["arch"];

/** A vendor's repository, and where on this machine its key is: the pinned one and no other. */
export interface VendorSource extends Repository {
  keyFile: string;
}

export interface ClosureRequest {
  system: TargetSystem;
  arch: Arch;
  /** Packages that are wanted. */
  packages: readonly string[];
  /** Where the system's own packages come from, in the words of its package manager; undefined: as this machine has it. */
  sources: readonly string[] | undefined;
  /** Vendors' repositories that some of the packages come from. */
  vendors: readonly VendorSource[];
  /** The list of installed packages of the image that the target has; undefined: nothing is known of it. */
  installed: string | undefined;
  /** An empty directory of our own. */
  work: string;
  readonly progress: (line: string) => void;
  signal: AbortSignal;
}

/** A downloaded package. */
export interface ClosurePackage {
  name: string;
  /** With its epoch. */
  version: string;
  /** As its system calls it, e.g. `amd64`, `noarch`. */
  arch: string;
  /** What it was taken from. */
  origin: string;
  path: string;
  sha256: string;
  /** What it says of its licence, empty where it says nothing. */
  license: string;
}

/** All that a target lacks, as a repository of its own. */
export interface Closure {
  packages: readonly ClosurePackage[];
  /** The repository's own files, with their names in it. */
  index: readonly { name: string; path: string }[];
}

export type PackageFormat = "deb" | "rpm";

/** The directory of the packages in a repository. */
export const pool = "pool";

/** Pure: how a package's file in the repository begins; without the epoch, as distributions have it. */
export function poolStem({ name, version }: Pick<ClosurePackage, "name" | "version">): string {
  // No name in a bundle has a circumflex, and some versions of RPMs do.
  return `${pool}/${name}_${version.replace(/^\d+:/, "").replaceAll("^", "+")}`;
}

export function poolName(
  one: Pick<ClosurePackage, "name" | "version" | "arch">,
  format: PackageFormat,
): string {
  return `${poolStem(one)}_${one.arch}.${format}`;
}

import type { KeySource } from "./pinned-key.ts";

/** A directory that was not there before, and the package that fills it when it is first configured. */
export interface FreshData {
  name: string;
  directory: string;
}

/** What an install needs besides the names. */
export interface InstallRequest {
  names: readonly string[];
  /**
   * Names of packages that were not there and are about to be unpacked are appended to this file, durably and
   * before the first of them: a killed run knows what it brought.
   */
  record: string;
  /**
   * Where the first configuring of the package was cut off, the directory goes before it is tried again: no
   * maintainer script finishes a database that is half made.
   */
  fresh: readonly FreshData[];
  /** Ends it with this signal's reason, as long as nothing was unpacked; then it is finished. */
  giveUp?: AbortSignal | undefined;
  /** Our repositories that some of them come from. */
  repositories: readonly Repository[];
  /** Answers to what packages would ask as they are installed: lines for debconf-set-selections(1). */
  answers: readonly string[];
  /** Everything the package tools print goes here (a file outlives us; a broken pipe would kill them half-way). */
  log: string;
}

export interface PackageWork {
  signal: AbortSignal;
  progress(line: string): void;
}

/** `cluster.packages`: where packages come from. */
export type PackageSource = "auto" | "os" | "vendor" | "bundle";

/** A vendor's own repository for one system. */
export interface Repository {
  /** Stands in the names of its files. */
  name: string;
  uri: string;
  /** Of an apt repository, like the component. */
  suite: string;
  component: string;
  key: KeySource;
  /** Patterns of other repositories' packages that would be taken for its own (EL 10 has a `mysql8.4`). dnf alone. */
  hides: readonly string[];
}

/** What makes the package manager use a repository: its key and one file. */
export interface RepositoryFiles {
  key: string;
  path: string;
  content: string;
  /** Exits 0 only if the package manager takes a file, `{}`, beside those that it has already. */
  check: readonly string[];
  /** Packages of the system without which it cannot be reached. */
  requires: readonly string[];
}

/** The system's package manager. */
export interface PackageManager {
  /** True where packages start their services as they are installed, unless a policy says no (Debian). */
  readonly startsServices: boolean;
  /** True where `purge` waits for whoever is at work on packages, such as what an interrupted run left to go on by itself. */
  readonly purgeWaits: boolean;
  /** Pure: how it is told of a vendor's repository. */
  repository(source: Repository): RepositoryFiles;
  /**
   * A small file of a vendor's (256 KiB at most), fetched as packages are: with this system's proxy and authorities.
   * @throws ChimeError `packages.unreachable`
   */
  fetch(url: string, work: Pick<PackageWork, "signal">): Promise<Uint8Array>;
  /** Versions of those of `names` that are wholly installed. */
  installed(names: readonly string[]): Promise<Map<string, string>>;
  /** Whether a version comes before another one. */
  isOlder(one: string, other: string): Promise<boolean>;
  /** True when an earlier run was cut off and the system must be repaired before anything else. */
  interrupted(): Promise<boolean>;
  /**
   * Whether an installation that begins now can be given up (`InstallRequest.giveUp`): where nobody is at work on packages, as
   * far as can be seen, and nothing was cut off.
   */
  canGiveUp(): Promise<boolean>;
  /** Versions that the repositories offer; a name that is missing has none, or nobody knows yet. */
  candidates(names: readonly string[]): Promise<Map<string, string>>;
  /** Whether an imported bundle has all of these: then no vendor's repository is needed. */
  hasBundled(names: readonly string[]): Promise<boolean>;
  /**
   * Fetches what `install` will need, as far as that goes without waiting: nothing but the package system's own caches
   * changes. What fails is told by the installation; an abort ends it.
   */
  download(names: readonly string[], log: string, work: PackageWork): Promise<void>;
  /**
   * Repairs what a killed run left, then installs all in one run. Waits while another program holds the lock.
   * An abort ends the waiting for it, never the run itself: a killed maintainer script may be beyond repair.
   * @throws ChimeError `packages.locked`, `packages.unknown`, `packages.unreachable`, `packages.no_space`,
   * `packages.conflict`, `packages.failed`
   */
  install(request: InstallRequest, work: PackageWork): Promise<void>;
  /**
   * Removes what `install` noted in the record with its configuration; what something else needs by now stays. Data
   * directories stay.
   */
  purge(record: string, log: string, work: PackageWork): Promise<void>;
}

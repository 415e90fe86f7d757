import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { fileError, isMissing, makePrivateDirectory } from "../host/files.ts";
import type { FreshData, PackageSource, PackageWork, Repository } from "../host/packages/types.ts";
import { packageManager } from "../host/packages/index.ts";
import type { Ledger } from "../plan/ledger.ts";
import { allowStart, denyStart, isStartDenial, isStartDenied } from "./deny-start.ts";
import { fingerprint } from "./fingerprint.ts";
import type { ApplyContext, Change, Kind, Resource } from "./types.ts";

export interface PackageOptions {
  /** The package's name on this system (catalog). */
  name: string;
  /** `Facts.os.family`: which package manager. */
  family: string;
  /** `cluster.packages`. */
  from: PackageSource;
  /** Units that it would start by itself when installed; we start them with our own configuration. */
  units?: readonly string[];
  /** The directory that it fills when it is first configured, e.g. with an empty database. */
  data?: string;
  /** Our repository that it comes from, if it does; `needs` names its files. */
  repository?: Repository | undefined;
  /** Answers to what it would ask: lines for debconf-set-selections(1). */
  answers?: readonly string[];
  needs?: readonly string[];
}

interface PackageChange extends Change {
  name: string;
  units: readonly string[];
  data: string | undefined;
  repository: Repository | undefined;
  answers: readonly string[];
}

/** A resource that is a package: what it needs can be fetched before it may be installed. */
export interface PackageResource extends Resource {
  readonly package: Pick<PackageOptions, "name" | "family" | "from" | "data">;
}

function isPackage(resource: Resource): resource is PackageResource {
  return "package" in resource;
}

/**
 * The packages among the resources, where they may be installed before anything else is: they come from what the package
 * system has already, can be given up, and leave nothing behind when they are taken back, as data would be.
 */
export async function packagesAlone(
  resources: readonly Resource[],
): Promise<readonly PackageResource[] | undefined> {
  const packages = resources.filter(isPackage);
  const [first] = packages;
  const isAlone = packages.every(({ needs, package: { data } }) => needs.length === 0 && data === undefined);
  if (!first || !isAlone) return undefined;
  const manager = packageManager(first.package.family, first.package.from);
  return (await manager.canGiveUp()) ? packages : undefined;
}

/**
 * Fetches what those among the resources that are not installed will need. Changes nothing but caches: what comes from
 * a repository that is still to be added cannot be fetched yet.
 */
export async function downloadPackages(
  resources: readonly Resource[],
  log: string,
  work: PackageWork,
): Promise<void> {
  const wanted = resources
    .filter(isPackage)
    .filter(({ needs }) => needs.length === 0)
    .map((resource) => resource.package);
  const [first] = wanted;
  if (!first) return;
  const manager = packageManager(first.family, first.from);
  const names = wanted.map(({ name }) => name);
  const there = await manager.installed(names);
  const missing = names.filter((name) => !there.has(name));
  if (missing.length > 0) await manager.download(missing, log, work);
}

/** One installed package, of any version. All that are ready at once are installed in one run (the lane). */
export function pkg(options: PackageOptions): PackageResource {
  const { name, family, from, units = [], data, repository, answers = [] } = options;
  const id = `package:${name}`;
  return {
    id,
    package: options,
    needs: options.needs ?? [],
    desired: fingerprint({ name }),
    lane: "packages",
    async inspect({ ledger }) {
      const manager = packageManager(family, from);
      // A killed run has left it: it goes with the next one.
      const leftover = isStartDenied(ledger) && ledger.noted(id) !== undefined;
      const installed = (await manager.installed([name])).get(name);
      if (installed !== undefined && !leftover) return undefined;
      const change: PackageChange = {
        action: "create",
        impact: "none",
        diff: `+ ${name}`,
        async more() {
          const offered = installed ?? (await manager.candidates([name])).get(name);
          return ` ${offered ?? "(version known once the package lists are fetched)"}`;
        },
        name,
        units,
        data,
        repository,
        answers,
        apply: (context) => install(options, [change], context),
        async together(others, context) {
          await install(options, [change, ...(others as PackageChange[])], context);
          return new Map();
        },
      };
      return change;
    },
  };
}

async function install(
  { family, from }: Pick<PackageOptions, "family" | "from">,
  changes: readonly PackageChange[],
  context: ApplyContext,
): Promise<void> {
  const manager = packageManager(family, from);
  const { ledger, signal, giveUp } = context;
  await makePrivateDirectory(ledger.backups);
  const record = join(ledger.backups, "packages");
  const log = join(ledger.backups, "packages.log");
  const answers = changes.flatMap((change) => change.answers);
  const sources = changes.flatMap((change) => (change.repository ? [change.repository] : []));
  const repositories = [...new Map(sources.map((source) => [source.name, source])).values()];
  // Noted before the packages are: then it is taken back after them.
  if (manager.startsServices)
    await denyStart(
      changes.flatMap((change) => change.units),
      context,
    );
  const fresh: FreshData[] = [];
  for (const { name, data } of changes) {
    const id = `package:${name}`;
    const empty = data !== undefined && (await isEmpty(data));
    await ledger.before(id, { family, record, log, fresh: empty ? data : null });
    const { fresh: directory } = v.parse(beforeSchema, ledger.noted(id));
    if (directory !== null) fresh.push({ name, directory });
  }
  try {
    const names = changes.map((change) => change.name);
    await manager.install({ names, repositories, record, fresh, log, answers, giveUp }, context);
  } finally {
    // Interrupted, the package tools go on and must still find it; the next run takes it away.
    if (!signal.aborted) await allowStart(context);
  }
}

async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if (isMissing(error)) return true;
    throw fileError(directory, error);
  }
}

const beforeSchema = v.object({
  family: v.string(),
  record: v.string(),
  log: v.string(),
  /** The data directory, if it was not there or empty. */
  fresh: v.nullable(v.string()),
});

const prefix = "package:";

/** What every member has, and its agent makes at any time, rests on no package. */
const besideAll = /^(hosts|port):/;

/**
 * Ids of what the ledger has of packages, where it is sure that they are wanted for nothing yet: nothing was made since the
 * first of them, and none has filled a directory. Taken back, they leave nothing behind. None where it is not.
 */
export function packagesOnTop(ledger: Pick<Ledger, "ids" | "noted">): string[] {
  const ids = ledger.ids().filter((id) => !besideAll.test(id));
  const first = ids.findIndex((id) => id.startsWith(prefix) || isStartDenial(id));
  const top = first === -1 ? [] : ids.slice(first);
  const isSure = top.every((id) => {
    if (!id.startsWith(prefix)) return isStartDenial(id);
    const { family, fresh } = v.parse(beforeSchema, ledger.noted(id));
    return fresh === null && packageManager(family).purgeWaits;
  });
  return isSure ? top : [];
}

/** Names of packages whose installation was begun, and no run of ours has seen its end. */
export function unfinishedPackages(ledger: Pick<Ledger, "ids" | "reached">): string[] {
  const ids = ledger.ids().filter((id) => id.startsWith(prefix) && ledger.reached(id) === undefined);
  return ids.map((id) => id.slice(prefix.length));
}

export const packageKind: Kind = {
  name: "package",
  /** The record names all that any of our installs brought, with what they needed: they go together. */
  async undo(_id, before, context) {
    const { family, record, log } = v.parse(beforeSchema, before);
    const manager = packageManager(family);
    await manager.purge(record, log, {
      signal: new AbortController().signal,
      progress: (line) => context.progress(line),
    });
    // An operator who installs one of them later must not lose it to the next reset.
    await rm(record, { force: true });
  },
};

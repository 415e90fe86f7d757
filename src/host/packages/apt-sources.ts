import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { exec } from "../../core/exec.ts";
import { paths } from "../../core/paths.ts";
import { fileError } from "../files.ts";
import { importedRepositories } from "./bundle-repositories.ts";

/** Where apt takes packages from. */
export interface AptSources {
  /** For every call of apt-get and apt-cache. */
  options: readonly string[];
  /** The directory of its package lists. */
  lists: string;
}

/** As the machine is configured. */
export const systemSources: AptSources = { options: [], lists: "/var/lib/apt/lists" };

/**
 * The repositories of all imported bundles and nothing else, with lists of their own: those of the system stay as they
 * are. Made once after each boot and import, which takes no network. Undefined where there is no bundle.
 * @throws ChimeError `exec.failed`, `file.*`
 */
export async function bundleSources(
  bundles: string = paths.bundles,
  run: string = paths.run,
): Promise<AptSources | undefined> {
  const repositories = await importedRepositories(bundles, "Packages");
  if (repositories.length === 0) return undefined;
  const directory = join(run, "apt", repositories.map(({ id }) => id).join("-"));
  const sources = sourcesIn(directory);
  if (await Bun.file(join(directory, "ready")).exists()) return sources;
  await mkdir(join(run, "apt"), { recursive: true, mode: 0o700 });
  const work = await mkdtemp(join(run, "apt", ".new-"));
  try {
    await mkdir(join(work, "lists", "partial"), { recursive: true });
    // Each of its files was checked against the signed manifest when it was imported.
    const lines = repositories.map(({ path }) => `deb [trusted=yes] file:${path} ./\n`);
    await writeFile(join(work, "sources.list"), lines.join(""));
    await exec(["apt-get", "update", "-q", ...sourcesIn(work).options]);
    await writeFile(join(work, "ready"), "");
    await rename(work, directory);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    // Another process was faster.
    if (!(await Bun.file(join(directory, "ready")).exists())) throw fileError(directory, error);
  }
  return sources;
}

function sourcesIn(directory: string): AptSources {
  const lists = join(directory, "lists");
  return {
    lists,
    options: [
      `-o=Dir::Etc::sourcelist=${directory}/sources.list`,
      "-o=Dir::Etc::sourceparts=/dev/null",
      `-o=Dir::State::lists=${lists}`,
      // The system's own stay valid.
      "-o=Dir::Cache::pkgcache=",
      "-o=Dir::Cache::srcpkgcache=",
      // Its own user cannot come into our directories; nothing is downloaded here.
      "-o=APT::Sandbox::User=root",
    ],
  };
}

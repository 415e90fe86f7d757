import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { paths } from "../../core/paths.ts";
import { importedRepositories } from "./bundle-repositories.ts";

/** Where dnf takes packages from. */
export interface DnfRepositories {
  /** For every call of dnf. */
  options: readonly string[];
  /** For a call that only looks. */
  look: readonly string[];
  /** Whether the repositories that we added may be asked, too. */
  vendors: boolean;
}

/** As the machine is configured; a look takes what is in the cache: it must not wait for the network. */
export const systemRepositories: DnfRepositories = { options: [], look: ["-C"], vendors: true };

/**
 * The repositories of all imported bundles and nothing else. Each of their files was checked against the signed manifest
 * when it was imported, so no package is checked again. Without plugins: some ask the network. Undefined where there is
 * no bundle.
 * @throws ChimeError `file.*`
 */
export async function bundleRepositories(
  bundles: string = paths.bundles,
  run: string = paths.run,
): Promise<DnfRepositories | undefined> {
  const found = await importedRepositories(bundles, "repodata/repomd.xml");
  if (found.length === 0) return undefined;
  const directory = join(run, "dnf", found.map(({ id }) => id).join("-"));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const repositories = found.map(({ id, path }) => ({ name: `chime-node-bundle-${id}`, path }));
  await writeFile(join(directory, "bundles.repo"), repositories.map(section).join("\n"));
  return {
    options: [
      "--noplugins",
      `--setopt=reposdir=${directory}`,
      `--setopt=cachedir=${join(directory, "cache")}`,
      "--disablerepo=*",
      ...repositories.map(({ name }) => `--enablerepo=${name}`),
    ],
    look: [],
    vendors: false,
  };
}

/** dnf.conf(5). What a bundle has of a module comes without the module's own description. */
function section({ name, path }: { name: string; path: string }): string {
  return `[${name}]
name=${name}
baseurl=file://${path}
enabled=0
gpgcheck=0
metadata_expire=never
module_hotfixes=1
`;
}

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError, isMissing } from "../files.ts";

/** The directory of a repository in an imported bundle. */
export const repositoryName = "repo";

/** Directories of the imported bundles' repositories, by the file that each of a package manager's kind has. */
export async function importedRepositories(bundles: string, index: string): Promise<string[]> {
  const names = await readdir(bundles).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw fileError(bundles, error);
  });
  const found: string[] = [];
  for (const name of names.filter((one) => !one.startsWith(".")).sort()) {
    const path = join(bundles, name, repositoryName);
    if (await Bun.file(join(path, index)).exists()) found.push(path);
  }
  return found;
}

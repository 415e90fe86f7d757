import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileError, isMissing } from "../files.ts";

/** The directory of a repository in an imported bundle. */
export const repositoryName = "repo";

/** The repository of an imported bundle. */
interface ImportedRepository {
  /** The bundle's. */
  id: string;
  /** Its directory. */
  path: string;
}

/** Those of all imported bundles, by the file that each of a package manager's kind has. */
export async function importedRepositories(bundles: string, index: string): Promise<ImportedRepository[]> {
  const names = await readdir(bundles).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw fileError(bundles, error);
  });
  const found: ImportedRepository[] = [];
  for (const id of names.filter((one) => !one.startsWith(".")).sort()) {
    const path = join(bundles, id, repositoryName);
    if (await Bun.file(join(path, index)).exists()) found.push({ id, path });
  }
  return found;
}

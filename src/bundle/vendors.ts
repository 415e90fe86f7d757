import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pinnedKey } from "../host/packages/pinned-key.ts";
import type { Repository } from "../host/packages/types.ts";
import type { VendorSource } from "./closure.ts";

/**
 * Vendors' repositories with their keys, fetched and written to a directory only with their pinned fingerprints.
 * @throws ChimeError `packages.untrusted`, `packages.unreachable`, `openpgp.broken`
 */
export async function withKeys(
  repositories: readonly Repository[],
  fetch: (url: string) => Promise<Uint8Array>,
  directory: string,
): Promise<VendorSource[]> {
  if (repositories.length > 0) await mkdir(directory);
  const found: VendorSource[] = [];
  for (const repository of repositories) {
    const keyFile = join(directory, `${repository.name}.asc`);
    await writeFile(keyFile, pinnedKey(await fetch(repository.key.url), repository.key, Date.now()));
    found.push({ ...repository, keyFile });
  }
  return found;
}

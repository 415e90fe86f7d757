import { ByteSource } from "../../bundle/bytes.ts";
import { readPublicKey, type PublicKey } from "../../bundle/keys.ts";
import { repositoryName } from "../../bundle/repository.ts";
import { readBundle, type Opened } from "../../bundle/read.ts";
import { build } from "../../core/build.ts";
import type { Io } from "../io.ts";

/** `bundle verify --json`. */
export interface Verified {
  id: string;
  version: string;
  system: string;
  arch: string;
  roles: readonly string[];
  packages: number;
  /** Bytes of all that is in it. */
  size: number;
  signer: PublicKey;
}

/**
 * Reads all of a bundle and keeps nothing.
 * @param keys files or lines; none: those that releases are signed with
 * @throws ChimeError what `readBundle` throws (exit 3), `bundle.bad_key` (exit 2)
 */
export async function verifyBundle(file: string, keys: readonly string[], io: Io): Promise<Verified> {
  const trusted = keys.length === 0 ? build.trustedKeys : await Promise.all(keys.map(readPublicKey));
  io.progress(`checking ${file}`);
  const trust = { keys: trusted, revoked: [] };
  return describe(await ByteSource.over(file, (source) => readBundle(source, trust)));
}

/** What an opened bundle is, for people and scripts. */
function describe({ id, manifest, signer }: Opened): Verified {
  const { version, system, arch, roles, files } = manifest;
  return {
    id,
    version,
    system,
    arch,
    roles,
    packages: files.filter(({ name }) => name.startsWith(`${repositoryName}/pool/`)).length,
    size: files.reduce((sum, { size }) => sum + size, 0),
    signer,
  };
}

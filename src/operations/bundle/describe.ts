import { pool } from "../../bundle/closure.ts";
import { contentSize, type Manifest } from "../../bundle/manifest.ts";
import { repositoryName } from "../../host/packages/bundle-repositories.ts";

/** A bundle, for people and scripts. */
export interface Described {
  id: string;
  /** Of the program in it. */
  version: string;
  system: string;
  arch: string;
  roles: readonly string[];
  packages: number;
  /** Bytes of all that is in it. */
  size: number;
}

export function describe({ id, manifest }: { id: string; manifest: Manifest }): Described {
  const { version, system, arch, roles, files } = manifest;
  const packages = files.filter(({ name }) => name.startsWith(`${repositoryName}/${pool}/`)).length;
  return { id, version, system, arch, roles, packages, size: contentSize(manifest) };
}

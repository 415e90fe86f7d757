import { mebibytes } from "../core/size.ts";

/** What a bundle is, whichever verb tells it. */
interface Told {
  file?: string;
  id: string;
  version?: string;
  system: string;
  arch: string;
  roles: readonly string[];
  packages: number;
  /** Bytes. */
  size: number;
}

export function renderBundle({ file, id, version, system, arch, roles, packages, size }: Told): string {
  const made = `bundle ${id}: ${system} ${arch}, ${roles.join(", ")}`;
  const what = `${version === undefined ? "" : `chime-node ${version}, `}${packages} packages, ${mebibytes(size)}`;
  return `${made}; ${what}${file === undefined ? "" : `\n${file}`}`;
}

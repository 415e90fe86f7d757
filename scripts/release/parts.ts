import { join } from "node:path";
import type { Part } from "../../src/core/build.ts";

/** A part with what package-lock.json pins of it. */
export interface PinnedPart extends Part {
  /** sha512 of its package, hex. */
  sha512: string;
}

interface Lockfile {
  packages: Record<
    string,
    { version?: string; license?: string; integrity?: string; dev?: boolean; optional?: boolean } | undefined
  >;
}

/**
 * What is inside the binary beside our own code, by package-lock.json: the runtime and every package that is not a
 * development tool.
 * @throws Error for one whose licence or integrity the lockfile does not have
 */
export async function embeddedParts(root: string): Promise<PinnedPart[]> {
  const { packages } = (await Bun.file(join(root, "package-lock.json")).json()) as Lockfile;
  const parts: PinnedPart[] = [];
  for (const [path, entry] of Object.entries(packages)) {
    const runtime = path === "node_modules/bun";
    if (path === "" || !entry || ((entry.dev || entry.optional) && !runtime)) continue;
    const name = path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);
    const { version, license, integrity } = entry;
    const hash = /^sha512-(\S+)$/.exec(integrity ?? "")?.[1];
    if (!version || !license || !hash) {
      throw new Error(`package-lock.json says too little of ${name}: version, license and sha512 are needed`);
    }
    parts.push({ name, version, license, sha512: Buffer.from(hash, "base64").toString("hex") });
  }
  return parts.sort((a, b) => (a.name < b.name ? -1 : 1));
}

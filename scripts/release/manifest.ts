import { createHash, sign, type KeyObject } from "node:crypto";

export interface Digest {
  sha256: string;
  /** Bytes. */
  size: number;
}

/** One file of a release. */
export interface ReleaseFile extends Digest {
  name: string;
  /** What comes out of a compressed binary. */
  binary?: Digest;
}

export interface Manifest {
  product: "chime-node";
  version: string;
  commit: string | null;
  modified: boolean;
  files: readonly ReleaseFile[];
}

export const manifestName = "manifest.json";
export const signatureName = "manifest.json.sig";
export const sumsName = "SHA256SUMS";

export function digest(bytes: Uint8Array | string): Digest {
  const data = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  return { sha256: createHash("sha256").update(data).digest("hex"), size: data.length };
}

/** JSON with one file a line and its keys in this order: install.sh reads it with sed. */
export function renderManifest({ files, ...head }: Manifest): string {
  const lines = files.map(({ name, sha256, size, binary }) =>
    JSON.stringify({
      name,
      sha256,
      size,
      ...(binary && { binary: { sha256: binary.sha256, size: binary.size } }),
    }),
  );
  const about = JSON.stringify(head, null, 2).replace(/\n}$/, "");
  return `${about},\n  "files": [\n    ${lines.join(",\n    ")}\n  ]\n}\n`;
}

/** Raw, 64 bytes: what `openssl pkeyutl -verify -rawin` takes. */
export function signManifest(manifest: string, key: KeyObject): Uint8Array {
  return sign(null, Buffer.from(manifest), key);
}

/** What `sha256sum -c` reads. */
export function renderSums(files: readonly (Digest & { name: string })[]): string {
  return files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
}

import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { oneLine } from "../../src/bundle/keys.ts";
import { renderManifest, type BundleFile, type Manifest } from "../../src/bundle/manifest.ts";
import { header, paddingOf, trailerSize } from "../../src/bundle/tar.ts";

export const maker = generateKeyPairSync("ed25519");
export const trust = { keys: [oneLine(maker.publicKey)], revoked: [] as string[] };

export function about(name: string, content: string): BundleFile {
  const sha256 = createHash("sha256").update(content).digest("hex");
  return { version: "1", origin: "test", name, sha256, size: Buffer.byteLength(content) };
}

export const contents: Readonly<Record<string, string>> = {
  "install.sh": "#!/bin/sh\n",
  "repo/Packages": "Package: a\n",
  "repo/pool/a_1_all.deb": "x".repeat(700),
};

export function manifestOf(changes: Partial<Manifest> = {}): Manifest {
  return {
    format: 1,
    product: "chime-node bundle",
    version: "0.1.0",
    system: "debian12",
    arch: "x64",
    roles: ["mysql"],
    packages: ["a"],
    files: Object.entries(contents).map(([name, content]) => about(name, content)),
    ...changes,
  };
}

/** An entry as the packer writes it, or with another header. */
export function entry(name: string, content: string | Uint8Array, head?: Uint8Array): Buffer {
  const body = Buffer.from(content);
  return Buffer.concat([
    head ?? header({ name, size: body.length }),
    body,
    Buffer.alloc(paddingOf(body.length)),
  ]);
}

export const trailer = Buffer.alloc(trailerSize);

/** A bundle put together by hand, so that any part of it can be what no packer writes. */
export function forge(
  manifest: Manifest = manifestOf(),
  entries: readonly Buffer[] = Object.entries(contents).map(([name, content]) => entry(name, content)),
  key: KeyObject = maker.privateKey,
  end: Buffer = trailer,
): Buffer {
  const text = Buffer.from(renderManifest(manifest));
  return Buffer.concat([
    entry("manifest.json", text),
    entry("manifest.json.sig", sign(null, text, key)),
    ...entries,
    end,
  ]);
}

/** A header with fields of its own and a checksum that is right for them. */
export function rawHeader(fields: { name?: string; kind?: string; size?: string; link?: string }): Buffer {
  const block = Buffer.from(header({ name: "placeholder", size: 0 }));
  if (fields.name !== undefined) block.fill(0, 0, 100).write(fields.name, 0);
  if (fields.kind !== undefined) block.write(fields.kind, 156);
  if (fields.link !== undefined) block.write(fields.link, 157);
  if (fields.size !== undefined) block.write(fields.size, 124);
  block.write("        ", 148);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
  return block;
}

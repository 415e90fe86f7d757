import { ChimeError, refused } from "../core/errors.ts";
import { truncated, type ByteSource } from "./bytes.ts";
import { signerOf, type PublicKey } from "./keys.ts";
import {
  duplicate,
  largestManifest,
  manifestName,
  parseManifest,
  bundleId,
  signatureName,
  signatureSize,
  type Manifest,
} from "./manifest.ts";
import { changed, readEnd, readHeader, readPadding, tell, type TarEntry } from "./tar.ts";

/** Whose signatures count. */
export interface Trust {
  keys: readonly PublicKey[];
  /** No more, whoever else trusts them. */
  revoked: readonly PublicKey[];
}

/** What a signature proved. */
export interface Opened {
  id: string;
  manifest: Manifest;
  manifestText: Buffer;
  signature: Buffer;
  signer: PublicKey;
}

/** Takes the files as they come; what it was given counts only when the whole bundle was read without a complaint. */
export interface Sink {
  begin(name: string): Promise<void>;
  write(chunk: Uint8Array): Promise<void>;
  /** Of the file that was begun, if one is open. */
  close(): Promise<void>;
}

/**
 * Reads a bundle once, from its first byte to its last. The signature comes first, so nothing of an unsigned bundle
 * is looked at; then each file must be what the manifest says, in its order.
 * @param accept looks at what is promised before the first file is read, and throws where it does not want it
 * @param sinkOf where the files go; nowhere, where the bundle is only to be checked
 * @throws ChimeError (exit 3) `bundle.not_a_bundle`, `bundle.unsigned`, `bundle.untrusted_key`, `bundle.revoked_key`,
 * `bundle.truncated`, `bundle.changed`, `bundle.duplicate`, `bundle.unsafe_name`, `bundle.not_a_file`, `bundle.format`
 */
export async function readBundle(
  source: ByteSource,
  trust: Trust,
  accept?: (opened: Opened) => Promise<void>,
  sinkOf?: (opened: Opened) => Sink | undefined,
): Promise<Opened> {
  const opened = await open(source, trust);
  await accept?.(opened);
  const sink = sinkOf?.(opened);
  try {
    await readFiles(source, opened.manifest, sink);
  } finally {
    await sink?.close();
  }
  return opened;
}

async function readFiles(source: ByteSource, manifest: Manifest, sink: Sink | undefined): Promise<void> {
  const seen = new Set<string>([manifestName, signatureName]);
  for (const file of manifest.files) {
    const entry = await readHeader(source);
    if (!entry) throw truncated();
    if (seen.has(entry.name)) throw duplicate(entry.name);
    seen.add(entry.name);
    if (entry.name !== file.name)
      throw changed(`it holds ${entry.name} where its manifest says ${file.name}`);
    if (entry.size !== file.size) throw changed(`${file.name} is not as large as its manifest says`);
    const hash = new Bun.CryptoHasher("sha256");
    await sink?.begin(entry.name);
    for (let missing = entry.size; missing > 0;) {
      const chunk = await source.some(missing);
      if (chunk.length === 0) throw truncated();
      missing -= chunk.length;
      const written = sink?.write(chunk);
      hash.update(chunk);
      await written;
    }
    if (hash.digest("hex") !== file.sha256) throw changed(`${file.name} is not what its manifest says`);
    await sink?.close();
    await readPadding(source, entry);
  }
  const more = await readHeader(source);
  if (more)
    throw seen.has(more.name)
      ? duplicate(more.name)
      : changed(`it holds ${more.name}, of which its manifest does not know`);
  await readEnd(source);
}

async function open(source: ByteSource, trust: Trust): Promise<Opened> {
  const first = await readHeader(source).catch((error: unknown) => {
    throw error instanceof ChimeError ? notABundle() : error;
  });
  if (first?.name !== manifestName || first.size > largestManifest) throw notABundle();
  const manifestText = await whole(source, first);
  const second = await readHeader(source);
  if (second?.name !== signatureName || second.size !== signatureSize) {
    throw refused("bundle.unsigned", "the bundle is not signed", tell);
  }
  return openManifest(manifestText, await whole(source, second), trust);
}

/**
 * What a signature proves of a manifest, wherever both came from.
 * @throws ChimeError (exit 3) `bundle.revoked_key`, `bundle.untrusted_key`, `bundle.format`, `bundle.unsafe_name`,
 * `bundle.duplicate`
 */
export function openManifest(manifestText: Buffer, signature: Buffer, trust: Trust): Opened {
  if (signerOf(manifestText, signature, trust.revoked) !== undefined) {
    throw refused("bundle.revoked_key", "the bundle is signed with a key that was revoked", tell);
  }
  const signer = signerOf(manifestText, signature, trust.keys);
  if (signer === undefined) {
    const none =
      trust.keys.length === 0 ? "no key is trusted here" : "none of the trusted keys has signed it";
    throw refused(
      "bundle.untrusted_key",
      `the bundle is not as its maker signed it, or its maker is not known: ${none}`,
      "if you know who made it, give that one's public key: --key PUB (verify), --trust PUB (import)",
    );
  }
  const text = manifestText.toString("utf8");
  return { id: bundleId(text), manifest: parseManifest(text), manifestText, signature, signer };
}

async function whole(source: ByteSource, entry: TarEntry): Promise<Buffer> {
  const content = await source.exactly(entry.size);
  await readPadding(source, entry);
  return content;
}

function notABundle() {
  return refused(
    "bundle.not_a_bundle",
    "the file is no bundle of chime-node",
    "chime-node bundle create makes one",
  );
}

import { createPrivateKey, createPublicKey, generateKeyPairSync, verify, type KeyObject } from "node:crypto";
import { open, readFile, rm } from "node:fs/promises";
import { refused, usageError, type ChimeError } from "../core/errors.ts";
import { fileError } from "../host/files.ts";

/** In one line: the base64 of the SPKI form (RFC 8410), what stands between the lines of a PEM file. */
export type PublicKey = string;

/** Head of every Ed25519 key in SPKI form, then 32 bytes. */
const linePattern = /^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{43}=$/;

/**
 * Makes PREFIX (0600) and PREFIX.pub, as `openssl genpkey -algorithm ed25519` writes them.
 * @throws ChimeError `bundle.key_exists`, `file.failed`
 */
export async function generateKeys(prefix: string): Promise<{ key: string; pub: string; line: PublicKey }> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const pub = `${prefix}.pub`;
  await writeNew(prefix, privateKey.export({ type: "pkcs8", format: "pem" }), 0o600);
  try {
    await writeNew(pub, publicKey.export({ type: "spki", format: "pem" }), 0o644);
  } catch (error) {
    await rm(prefix);
    throw error;
  }
  return { key: prefix, pub, line: oneLine(publicKey) };
}

async function writeNew(path: string, content: string | Buffer, mode: number): Promise<void> {
  const handle = await open(path, "wx", mode).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw fileError(path, error);
    throw refused("bundle.key_exists", `${path} is there already`, "give another --out, or use that key");
  });
  try {
    await handle.writeFile(content);
    await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** @throws ChimeError `bundle.bad_key` (exit 2) */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  const text = await readPem(path);
  if (text.includes("BEGIN PUBLIC KEY")) throw badKey(`${path} is a public key: the private one signs`);
  const key = parse(path, text, createPrivateKey);
  if (key.asymmetricKeyType !== "ed25519") throw badKey(`${path} is no Ed25519 private key (PEM)`);
  return key;
}

/** A public key: a PEM file, or the line itself. @throws ChimeError `bundle.bad_key` (exit 2) */
export async function readPublicKey(given: string): Promise<PublicKey> {
  if (linePattern.test(given)) return given;
  const text = await readPem(given);
  // createPublicKey takes a private key too, which then would lie about as one to be given away.
  if (!text.includes("BEGIN PUBLIC KEY")) throw badKey(`${given} is no Ed25519 public key (PEM)`);
  const key = parse(given, text, createPublicKey);
  if (key.asymmetricKeyType !== "ed25519") throw badKey(`${given} is no Ed25519 public key (PEM)`);
  return oneLine(key);
}

export function oneLine(key: KeyObject): PublicKey {
  const half = key.type === "private" ? createPublicKey(key) : key;
  return half.export({ type: "spki", format: "der" }).toString("base64");
}

/** Which of the keys has signed; undefined for none of them. */
export function signerOf(
  text: Uint8Array,
  signature: Uint8Array,
  keys: readonly PublicKey[],
): PublicKey | undefined {
  return keys.find((line) => {
    const key = createPublicKey({ key: Buffer.from(line, "base64"), format: "der", type: "spki" });
    return verify(null, text, key, signature);
  });
}

async function readPem(path: string): Promise<string> {
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw badKey(
      `${path} cannot be read as a key: ${error.code === "ENOENT" ? "there is no such file" : error.message}`,
    );
  });
}

function parse(path: string, text: string, read: (pem: string) => KeyObject): KeyObject {
  try {
    return read(text);
  } catch (error) {
    throw badKey(`${path} cannot be read as a key: ${(error as Error).message}`);
  }
}

function badKey(message: string): ChimeError {
  return usageError("bundle.bad_key", message, "chime-node bundle keygen --out PREFIX makes a pair");
}

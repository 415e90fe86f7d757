import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

/** The private key of `openssl genpkey -algorithm ed25519`. @throws Error where it is none */
export async function readPrivateKey(path: string): Promise<KeyObject> {
  const key = await parse(path, createPrivateKey);
  if (key.asymmetricKeyType !== "ed25519") throw new Error(`${path} is no Ed25519 private key (PEM)`);
  return key;
}

/** A public key file (PEM) in the form that fits a line. @throws Error where it is none */
export async function readPublicKey(path: string): Promise<string> {
  const text = await Bun.file(path)
    .text()
    .catch((error: Error) => {
      throw new Error(`${path} cannot be read: ${error.message}`);
    });
  // createPublicKey takes a private key too, which then would lie about as one to be given away.
  if (!text.includes("BEGIN PUBLIC KEY")) throw new Error(`${path} is no Ed25519 public key (PEM)`);
  const key = await parse(path, createPublicKey);
  if (key.asymmetricKeyType !== "ed25519") throw new Error(`${path} is no Ed25519 public key (PEM)`);
  return oneLine(key);
}

/** The base64 of the SPKI form: what stands between the lines of a PEM file. */
export function oneLine(key: KeyObject): string {
  const half = key.type === "private" ? createPublicKey(key) : key;
  return half.export({ type: "spki", format: "der" }).toString("base64");
}

async function parse(path: string, read: (pem: string) => KeyObject): Promise<KeyObject> {
  try {
    return read(await Bun.file(path).text());
  } catch (cause) {
    throw new Error(`${path} cannot be read as a key: ${(cause as Error).message}`, { cause });
  }
}

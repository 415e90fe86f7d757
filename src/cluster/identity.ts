import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failed, refused } from "../core/errors.ts";
import { registerSecret } from "../core/mask.ts";
import { readText, writeAtomic } from "./files.ts";
import { firstRing, keyRing, type KeyRing } from "./gossip/keyring.ts";
import { certify, generateKey, publicKeyOf, type Authority, type KeyPair } from "./pki.ts";
import { address, nodeName } from "./schema.ts";
import type { Identity } from "./types.ts";

/** All that a member holds of its cluster on disk, in `paths.pki`. */
export interface Credentials {
  identity: Identity;
  /** PEM. */
  ca: string;
  certificate: string;
  key: KeyPair;
  /** PEM; absent on a witness. */
  caKey: string | undefined;
  /** What gossip's packets are sealed with. */
  keyRing: KeyRing;
}

const names = {
  ca: "ca.crt",
  caKey: "ca.key",
  certificate: "node.crt",
  key: "node.key",
  keyRing: "gossip.key",
  identity: "identity.json",
} as const;

const identitySchema = v.object({
  cluster: v.object({ name: nodeName, id: v.pipe(v.string(), v.regex(/^[a-z0-9]{1,64}$/)) }),
  self: v.object({ name: nodeName, index: v.pipe(v.number(), v.integer(), v.minValue(1)), address }),
});

/** Undefined when this node is in no cluster. `directory` is `paths.pki`. */
export async function loadIdentity(directory: string): Promise<Identity | undefined> {
  const text = await readText(join(directory, names.identity));
  if (text === undefined) return undefined;
  try {
    return v.parse(identitySchema, JSON.parse(text));
  } catch (cause) {
    throw damaged(directory, cause);
  }
}

/** @throws ChimeError `identity.damaged` when a part is missing */
export async function loadCredentials(directory: string): Promise<Credentials | undefined> {
  const identity = await loadIdentity(directory);
  if (!identity) return undefined;
  const read = (name: string) => readText(join(directory, name));
  const [ca, certificate, key, ring, caKey] = await Promise.all([
    read(names.ca),
    read(names.certificate),
    read(names.key),
    read(names.keyRing),
    read(names.caKey),
  ]);
  if (!ca || !certificate || !key || !ring) throw damaged(directory);
  return {
    identity,
    ca,
    certificate,
    key: { publicKey: publicKeyOf(key), privateKey: key },
    caKey,
    keyRing: readRing(directory, ring.trim()),
  };
}

/** A ring that was never rotated is one line, as from the first version on. */
function readRing(directory: string, text: string): KeyRing {
  try {
    const ring = v.parse(keyRing, text.startsWith("{") ? JSON.parse(text) : firstRing(text));
    ring.keys.forEach(registerSecret);
    return ring;
  } catch {
    // The parser's message may quote what it read, which is a secret.
    throw damaged(directory);
  }
}

export async function saveKeyRing(directory: string, ring: KeyRing): Promise<void> {
  ring.keys.forEach(registerSecret);
  const text = ring.version === 0 ? (ring.keys[0] as string) : `${JSON.stringify(ring)}\n`;
  await writeAtomic(join(directory, names.keyRing), text, 0o600);
}

function damaged(directory: string, cause?: unknown): Error {
  return failed("identity.damaged", `the cluster identity in ${directory} is damaged or incomplete`, {
    remedy: "chime-node reset here, chime-node remove for this node on another member, then join again",
    cause,
  });
}

/** The identity comes last: without it the node is in no cluster, and an interrupted join is simply repeated. */
export async function saveCredentials(directory: string, credentials: Credentials): Promise<void> {
  await makePrivate(directory);
  const write = (name: string, content: string) => writeAtomic(join(directory, name), content, 0o600);
  await write(names.ca, credentials.ca);
  if (credentials.caKey) await write(names.caKey, credentials.caKey);
  await write(names.key, credentials.key.privateKey);
  await write(names.certificate, credentials.certificate);
  await saveKeyRing(directory, credentials.keyRing);
  await write(names.identity, `${JSON.stringify(credentials.identity, null, 2)}\n`);
}

export async function saveCertificate(directory: string, certificate: string): Promise<void> {
  await writeAtomic(join(directory, names.certificate), certificate, 0o600);
}

/**
 * The key that this machine joins with. It is written before it is used: a join whose answer got lost is repeated
 * with the same key, and the cluster gives the same admission again.
 */
export async function joinKey(directory: string): Promise<KeyPair> {
  const stored = await readText(join(directory, names.key));
  if (stored) {
    try {
      return { publicKey: publicKeyOf(stored), privateKey: stored };
    } catch {
      // Not a key: nothing was ever certified for it.
    }
  }
  const key = generateKey();
  await makePrivate(directory);
  await writeAtomic(join(directory, names.key), key.privateKey, 0o600);
  return key;
}

async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
}

async function loadAuthority(directory: string): Promise<Authority | undefined> {
  const [cert, key] = await Promise.all([
    readText(join(directory, names.ca)),
    readText(join(directory, names.caKey)),
  ]);
  return cert && key ? { cert, key } : undefined;
}

/**
 * A certificate for a service on this node (mysqld, …), signed by the cluster's CA; PEM. It is none of an agent.
 * @throws ChimeError `pki.no_authority` on a witness or outside of a cluster
 */
export async function issueServiceCertificate(
  directory: string,
  service: { name: string; addresses: readonly string[] },
): Promise<{ key: string; cert: string; ca: string }> {
  const [identity, authority] = await Promise.all([loadIdentity(directory), loadAuthority(directory)]);
  if (!identity || !authority) {
    throw refused(
      "pki.no_authority",
      "this node does not hold the cluster's CA, so it can sign no certificate",
      {
        remedy: "give the role to a member that did not join as a witness",
      },
    );
  }
  const key = generateKey();
  const cert = certify(
    authority,
    {
      cluster: identity.cluster,
      commonName: service.name,
      publicKey: key.publicKey,
      alternativeNames: [service.name, ...service.addresses],
    },
    Date.now(),
  );
  return { key: key.privateKey, cert, ca: authority.cert };
}

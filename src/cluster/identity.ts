import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failed, refused } from "../core/errors.ts";
import { registerSecret } from "../core/mask.ts";
import { readText, removeWhole, writeAtomic } from "./files.ts";
import { firstRing, keyRing, type KeyRing } from "./gossip/keyring.ts";
import { caPublicKey, certify, generateKey, publicKeyOf, type KeyPair } from "./pki.ts";
import { lastStage, rollover, type Rollover } from "./rollover.ts";
import { address, nodeName } from "./schema.ts";
import { serviceCa, signer, trustedCas } from "./trust.ts";
import type { Identity } from "./types.ts";

/** All that a member holds of its cluster on disk, in `paths.pki`. */
export interface Credentials {
  identity: Identity;
  /** PEM. During a rotation of the CA: of the one before. */
  ca: string;
  certificate: string;
  key: KeyPair;
  /** PEM; absent on a witness. */
  caKey: string | undefined;
  /** The last rotation of the CA, which may be under way; undefined: there was none. What follows from it: trust.ts. */
  rollover?: Rollover | undefined;
  /** What this node has of the CA that comes; PEM. */
  next?: NextAuthority | undefined;
  /** What gossip's packets are sealed with. */
  keyRing: KeyRing;
}

export interface NextAuthority {
  /** Absent on a witness. */
  caKey?: string | undefined;
  /** By it, for this node's key. */
  certificate?: string | undefined;
}

const names = {
  ca: "ca.crt",
  caKey: "ca.key",
  certificate: "node.crt",
  key: "node.key",
  keyRing: "gossip.key",
  identity: "identity.json",
  rollover: "ca-rotation.json",
  nextCaKey: "ca-next.key",
  nextCertificate: "node-next.crt",
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
  const authority = await loadAuthority(directory);
  const read = (name: string) => readText(join(directory, name));
  const [certificate, key, ring] = await Promise.all([
    read(names.certificate),
    read(names.key),
    read(names.keyRing),
  ]);
  if (!authority || !certificate || !key || !ring) throw damaged(directory);
  return {
    identity,
    ...authority,
    certificate,
    key: { publicKey: publicKeyOf(key), privateKey: key },
    keyRing: readRing(directory, ring.trim()),
  };
}

type HeldAuthority = Pick<Credentials, "ca" | "caKey" | "rollover" | "next">;

/** What this node holds of the cluster's CA; where a rotation was killed at its end, that is done first. */
async function loadAuthority(directory: string): Promise<HeldAuthority | undefined> {
  const read = (name: string) => readText(join(directory, name));
  const text = await read(names.rollover);
  const last = text === undefined ? undefined : parseRollover(directory, text);
  if (last?.stage === lastStage) await settle(directory, last);
  const [ca, caKey, nextKey, certificate] = await Promise.all([
    read(names.ca),
    read(names.caKey),
    read(names.nextCaKey),
    read(names.nextCertificate),
  ]);
  if (!ca) return undefined;
  const under = last && last.stage < lastStage ? last : undefined;
  // One of a rotation that was killed before it began is nobody's.
  const isOurs = under && nextKey && publicKeyOf(nextKey) === caPublicKey(under.after);
  return { ca, caKey, rollover: last, next: under && { caKey: isOurs ? nextKey : undefined, certificate } };
}

function parseRollover(directory: string, text: string): Rollover {
  try {
    return v.parse(rollover, JSON.parse(text));
  } catch (cause) {
    throw damaged(directory, cause);
  }
}

/** The CA after takes the place of the one before; the same again does no harm. */
async function settle(directory: string, { after }: Rollover): Promise<void> {
  const path = (name: string) => join(directory, name);
  // Another process may be at it, too.
  const move = async (from: string, to: string) => {
    await rename(path(from), path(to)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
  };
  const nextKey = await readText(path(names.nextCaKey));
  const key = await readText(path(names.caKey));
  if (nextKey !== undefined && publicKeyOf(nextKey) === caPublicKey(after)) {
    await move(names.nextCaKey, names.caKey);
  } else if (key !== undefined && publicKeyOf(key) !== caPublicKey(after)) {
    await removeWhole(path(names.caKey));
  }
  await move(names.nextCertificate, names.certificate);
  if ((await readText(path(names.ca))) !== after) await writeAtomic(path(names.ca), after, 0o600);
}

/** What comes with a rotation of the CA. */
export interface RolloverChange {
  rollover?: Rollover;
  next?: NextAuthority;
}

/** What this node holds after a change; as `loadCredentials` would have it after `saveRollover`. Pure. */
export function withRollover(credentials: Credentials, { rollover: to, next }: RolloverChange): Credentials {
  const { rollover: last } = credentials;
  const base = last && to && to.round > last.round ? settled(credentials, last) : credentials;
  const now = to ?? last;
  const merged = { ...base, rollover: now, next: { ...base.next, ...next } };
  return now?.stage === lastStage ? settled(merged, now) : merged;
}

function settled(credentials: Credentials, { after }: Rollover): Credentials {
  const { caKey, certificate, next } = credentials;
  const isOurs = (key: string | undefined) => key !== undefined && publicKeyOf(key) === caPublicKey(after);
  const key = [next?.caKey, caKey].find(isOurs);
  // That of a rotation which begins is another one's.
  const rest = isOurs(next?.caKey) ? undefined : next?.caKey;
  return {
    ...credentials,
    ca: after,
    caKey: key,
    certificate: next?.certificate ?? certificate,
    next: rest === undefined ? undefined : { caKey: rest },
  };
}

/** What comes is on the disk before it is gone by; the same again does no harm. */
export async function saveRollover(
  directory: string,
  credentials: Credentials,
  { rollover: to, next }: RolloverChange,
): Promise<void> {
  const { rollover: last } = credentials;
  // It was away while that one ended.
  if (last && to && to.round > last.round) await settle(directory, last);
  await writeRollover(directory, { rollover: to, next });
  const now = to ?? last;
  if (now?.stage === lastStage) await settle(directory, now);
}

/** The document last: what it says to be here is. */
async function writeRollover(
  directory: string,
  { rollover: to, next }: Pick<Credentials, "rollover" | "next">,
): Promise<void> {
  const write = (name: string, content: string) => writeAtomic(join(directory, name), content, 0o600);
  if (next?.caKey !== undefined) await write(names.nextCaKey, next.caKey);
  if (next?.certificate !== undefined) await write(names.nextCertificate, next.certificate);
  if (to) await write(names.rollover, `${JSON.stringify(to)}\n`);
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
  await writeRollover(directory, credentials);
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

/** The CAs that services on this node go by; undefined outside of a cluster. Read at once: a plan is pure, and made anew. */
export function readServiceAuthority(directory: string): { trusted: string; signer: string } | undefined {
  const path = (name: string) => join(directory, name);
  if (!existsSync(path(names.ca))) return undefined;
  const ca = readFileSync(path(names.ca), "utf8");
  const text = existsSync(path(names.rollover)) ? readFileSync(path(names.rollover), "utf8") : undefined;
  const held = { ca, rollover: text === undefined ? undefined : parseRollover(directory, text) };
  return { trusted: trustedCas(held).join(""), signer: serviceCa(held, existsSync(path(names.caKey))) };
}

/**
 * A certificate for a service on this node (mysqld, …), signed by the cluster's CA; PEM. It is none of an agent.
 * @throws ChimeError `pki.no_authority` on a witness or outside of a cluster
 */
export async function issueServiceCertificate(
  directory: string,
  service: { name: string; addresses: readonly string[] },
): Promise<{ key: string; cert: string; ca: string }> {
  const [identity, held] = await Promise.all([loadIdentity(directory), loadAuthority(directory)]);
  const authority = held && signer(held, serviceCa(held, held.caKey !== undefined));
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
  return { key: key.privateKey, cert, ca: trustedCas(held).join("") };
}

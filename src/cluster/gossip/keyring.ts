import { createHash, hkdfSync } from "node:crypto";
import * as v from "valibot";
import { signFields, verifyFields } from "../pki.ts";

/** A member reads so many. A rotation needs two; the others are room for one that was begun on both sides of a cut. */
const maxKeys = 4;
const keyBytes = 32;

const ringVersion = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const keyId = v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/));
const keyText = v.pipe(
  v.string(),
  v.length(44),
  v.check((text) => {
    const bytes = Buffer.from(text, "base64");
    return bytes.length === keyBytes && bytes.toString("base64") === text;
  }),
);

/**
 * The keys that seal gossip's datagrams, as the cluster agreed on them. It is a secret (law 6): it travels over mutual TLS
 * alone, and lies in a 0600 file.
 */
export const keyRing = v.pipe(
  v.object({
    /** 0: the key that the cluster was made with. */
    version: ringVersion,
    /** 32 bytes each, base64; the oldest first. */
    keys: v.pipe(v.array(keyText), v.minLength(1), v.maxLength(maxKeys)),
    /** The id of the one that seals. All of them open. */
    primary: keyId,
    /** By the CA key, over all above and the cluster's id: a witness cannot make a ring. Null in version 0. */
    signature: v.nullable(v.pipe(v.string(), v.maxLength(200))),
  }),
  v.check(({ keys, primary }) => {
    const ids = keys.map(idOfKey);
    return ids.includes(primary) && new Set(ids).size === ids.length;
  }),
);
export type KeyRing = v.InferOutput<typeof keyRing>;

/** What a member publishes of its ring: it tells nothing of the keys. */
export const ringState = v.object({
  version: ringVersion,
  id: keyId,
  /** Ids of the keys that it opens with. */
  opens: v.pipe(v.array(keyId), v.maxLength(maxKeys)),
});
export type RingState = v.InferOutput<typeof ringState>;

/** One of its keys, ready for use. */
export interface RingKey {
  /** 8 hex digits, derived from the key; on the wire 4 bytes. */
  id: string;
  secret: Buffer;
}

/** @param key 32 bytes, base64 */
export function idOfKey(key: string): string {
  const derived = hkdfSync("sha256", Buffer.from(key, "base64"), "", "chime gossip key id", 4);
  return Buffer.from(derived).toString("hex");
}

/** The ring of a cluster whose key was never rotated. */
export function firstRing(key: string): KeyRing {
  return { version: 0, keys: [key], primary: idOfKey(key), signature: null };
}

export function keysOf(ring: Pick<KeyRing, "keys">): RingKey[] {
  return ring.keys.map((key) => ({ id: idOfKey(key), secret: Buffer.from(key, "base64") }));
}

/** The one that seals. */
export function sealingKey(ring: KeyRing): RingKey {
  return keysOf(ring).find(({ id }) => id === ring.primary) as RingKey;
}

/** Short and not secret: what two rings of one version are told apart by. Not by their signatures, which are random. */
function idOfRing({ version, keys, primary }: KeyRing): string {
  const fields = JSON.stringify([version, keys.map(idOfKey), primary]);
  return createHash("sha256").update(fields).digest("hex").slice(0, 8);
}

export function stateOf(ring: KeyRing): RingState {
  return { version: ring.version, id: idOfRing(ring), opens: keysOf(ring).map(({ id }) => id) };
}

/** Whether the first one is the cluster's where both are met. Of two that were made at once the greater id stays. */
export function outdoes(
  first: Pick<RingState, "version" | "id">,
  second: Pick<RingState, "version" | "id">,
): boolean {
  return first.version === second.version ? first.id > second.id : first.version > second.version;
}

function signedFields(cluster: string, { version, keys, primary }: KeyRing): unknown[] {
  return ["chime-keyring-1", cluster, version, keys, primary];
}

export function signRing(caKey: string, cluster: string, unsigned: Omit<KeyRing, "signature">): KeyRing {
  const ring = { ...unsigned, signature: null };
  return { ...ring, signature: signFields(caKey, signedFields(cluster, ring)) };
}

/** @param caPublicKey SubjectPublicKeyInfo, base64 */
export function isGenuine(caPublicKey: string, cluster: string, ring: KeyRing): boolean {
  if (ring.version === 0 || ring.signature === null) return false;
  return verifyFields(caPublicKey, signedFields(cluster, ring), ring.signature);
}

/** `adding`: not all members may have the new key yet. `switching`: not all may seal with it yet. */
export type Stage = "settled" | "adding" | "switching";

/** A rotation's stage follows from the ring alone, so that any member that holds the CA can go on with it. */
export function stageOf({ keys, primary }: KeyRing): Stage {
  const newest = keys.at(-1) as string;
  if (idOfKey(newest) !== primary) return "adding";
  return keys.length > 1 ? "switching" : "settled";
}

/**
 * The ring that follows, unsigned: the same on each member that works it out.
 * @param fresh the key that a settled ring gets beside its own; base64. Without it nothing follows a settled ring
 */
export function nextRing(ring: KeyRing, fresh: string | undefined): Omit<KeyRing, "signature"> | undefined {
  const { version, keys, primary } = ring;
  const newest = keys.at(-1) as string;
  const stage = stageOf(ring);
  if (stage === "adding") return { version: version + 1, keys, primary: idOfKey(newest) };
  if (stage === "switching") return { version: version + 1, keys: [newest], primary };
  return fresh === undefined ? undefined : { version: version + 1, keys: [...keys, fresh], primary };
}

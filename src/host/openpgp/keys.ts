import { createHash } from "node:crypto";
import { broken, readLength, readNumber, readPackets, type Packet } from "./packets.ts";

/** A certificate: a primary key with its names, subkeys and signatures. */
export interface PublicKey {
  /** Of the primary key, in upper case. */
  fingerprint: string;
  /** When the primary key ends, in ms since the epoch, as its newest signature of its own says; undefined: never. */
  expires: number | undefined;
  revoked: boolean;
  /** All its packets. */
  bytes: Uint8Array;
}

const tags = { signature: 2, publicKey: 6, marker: 10, trust: 12, userId: 13, subkey: 14, attribute: 17 };
const beside = new Set<number>([tags.signature, tags.trust, tags.userId, tags.subkey, tags.attribute]);

/**
 * The certificates in a key file (RFC 9580 §10.1), each told by its primary key's fingerprint. Signatures are not
 * verified: that a key is the right one is what its fingerprint says, and whether it may sign is the package manager's
 * business. When it ends is a reason to fetch it again, no more.
 * @throws ChimeError `openpgp.broken`
 */
export function readKeys(bytes: Uint8Array): PublicKey[] {
  const groups: [Packet, ...Packet[]][] = [];
  for (const packet of readPackets(bytes)) {
    const group = groups.at(-1);
    if (packet.tag === tags.publicKey) groups.push([packet]);
    else if (packet.tag === tags.marker) continue;
    else if (group && beside.has(packet.tag)) group.push(packet);
    else throw broken(`a packet of kind ${packet.tag} is none of a public key`);
  }
  return groups.map(toKey);
}

function toKey(packets: [Packet, ...Packet[]]): PublicKey {
  const [primary] = packets;
  const fingerprint = fingerprintOf(primary.body);
  const subkey = packets.findIndex(({ tag }) => tag === tags.subkey);
  // Those behind a subkey are about it.
  const own = packets
    .slice(1, subkey < 0 ? undefined : subkey)
    .filter(({ tag }) => tag === tags.signature)
    .flatMap(({ body }) => readSignature(body) ?? [])
    .filter(({ issuer }) => fingerprint.startsWith(issuer) || fingerprint.endsWith(issuer));
  // What is said of the key itself comes before what is said of one of its names.
  const validFor =
    newest(own.filter(({ type, validFor }) => type === directKey && validFor !== undefined))?.validFor ??
    newest(own.filter(({ type }) => certifications.has(type)))?.validFor;
  const created = readNumber(primary.body.subarray(1), 4);
  return {
    fingerprint,
    expires: validFor ? (created + validFor) * 1000 : undefined,
    revoked: own.some(({ type }) => type === keyRevocation),
    bytes: Buffer.concat(packets.map(({ whole }) => whole)),
  };
}

/** RFC 9580 §5.5.4. */
function fingerprintOf(body: Uint8Array): string {
  const [version] = body;
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  if (version === 4 && body.length < 0x10000) {
    return digest("sha1", Buffer.from([0x99]), length.subarray(2), body);
  }
  if (version === 6) return digest("sha256", Buffer.from([0x9b]), length, body);
  throw broken(`it has a key of version ${version ?? "none"}`);
}

function digest(algorithm: "sha1" | "sha256", ...parts: Uint8Array[]): string {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex").toUpperCase();
}

function newest(signatures: readonly Signature[]): Signature | undefined {
  return signatures.toSorted((a, b) => b.created - a.created)[0];
}

/** RFC 9580 §5.2.1: 0x10 to 0x13 certify a name. */
const certifications = new Set([0x10, 0x11, 0x12, 0x13]);
const directKey = 0x1f;
const keyRevocation = 0x20;

interface Signature {
  type: number;
  /** Seconds since the epoch. */
  created: number;
  /** Seconds from the key's making to its end; 0: it has none, undefined: nothing is said. */
  validFor: number | undefined;
  /** The signer's fingerprint or key id, in upper case. */
  issuer: string;
}

/** What a signature says of the time and its signer; undefined for forms of which none is a package repository's. */
function readSignature(body: Uint8Array): Signature | undefined {
  const [version, type = 0] = body;
  if (version !== 4 && version !== 6) return undefined;
  const size = version === 4 ? 2 : 4;
  const hashed = area(body.subarray(4), size);
  const rest = area(body.subarray(4 + size + hashed.length), size);
  const signed = readSubpackets(hashed);
  const all = new Map([...readSubpackets(rest), ...signed]);
  const number = (kind: number) => {
    const value = signed.get(kind);
    return value && readNumber(value, 4);
  };
  const id = all.get(subpackets.issuer);
  // One byte of a version stands before the fingerprint.
  const print = all.get(subpackets.issuerFingerprint)?.subarray(1);
  const issuer = Buffer.from(print ?? id ?? [])
    .toString("hex")
    .toUpperCase();
  if (issuer.length < 16) return undefined;
  return { type, created: number(subpackets.created) ?? 0, validFor: number(subpackets.keyExpires), issuer };
}

const subpackets = { created: 2, keyExpires: 9, issuer: 16, issuerFingerprint: 33 };

function area(bytes: Uint8Array, size: number): Uint8Array {
  const length = readNumber(bytes, size);
  if (size + length > bytes.length) throw broken("it ends within a signature");
  return bytes.subarray(size, size + length);
}

/** By their kind, without the mark of those that must be understood (RFC 9580 §5.2.3.7). */
function readSubpackets(bytes: Uint8Array): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  for (let at = 0; at < bytes.length;) {
    const { size, length } = readLength(bytes.subarray(at), false);
    const end = at + size + length;
    if (length === 0 || end > bytes.length) throw broken("it ends within a signature");
    found.set((bytes[at + size] ?? 0) & 0x7f, bytes.subarray(at + size + 1, end));
    at = end;
  }
  return found;
}

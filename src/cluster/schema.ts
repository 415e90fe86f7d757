import { isIP } from "node:net";
import * as v from "valibot";
import { keyRing } from "./gossip/keyring.ts";
import { statement } from "./gossip/types.ts";
import { rollover } from "./rollover.ts";
import { phases, type Member, type SpecDocument } from "./types.ts";

/** Everything that agents tell each other, as schemas. Unknown keys are dropped: a newer peer may send more. */

/** A host name's label rules (RFC 1123), lower case, since names end up in /etc/hosts and in certificates. */
export const nodeName = v.pipe(v.string(), v.regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/));
const roleName = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/));
export const address = v.pipe(
  v.string(),
  v.maxLength(45),
  // Without a zone: another node knows nothing of this node's interfaces.
  v.check((text) => isIP(text) !== 0 && !text.includes("%")),
);
const index = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(99_999));
const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
export const base64 = v.pipe(v.string(), v.maxLength(512), v.regex(/^[A-Za-z0-9+/]+={0,2}$/));
export const roleList = v.pipe(v.array(roleName), v.maxLength(16));
const short = v.pipe(v.string(), v.maxLength(200));

/** A record's limit as JSON. */
export const maxRecordBytes = 16_384;

const facts = v.object({
  os: v.object({
    id: short,
    versionId: short,
    codename: short,
    family: v.fallback(v.picklist(["debian", "el", "unknown"]), "unknown"),
    name: short,
  }),
  arch: v.picklist(["x64", "arm64"]),
  cpus: counter,
  memoryBytes: counter,
});

export const member: v.GenericSchema<unknown, Member> = v.object({
  name: nodeName,
  index,
  address,
  roles: roleList,
  phase: v.record(roleName, v.picklist(phases)),
  roleState: v.record(roleName, v.unknown()),
  facts: v.nullable(facts),
  binaryVersion: short,
  protocol: counter,
  left: v.boolean(),
  incarnation: counter,
  version: counter,
});

/** A node's record as it travels and is kept: JSON of a Member, and its own signature (record.ts). */
export const signedRecord = v.object({
  text: v.pipe(v.string(), v.maxBytes(maxRecordBytes)),
  signature: base64,
});
export type SignedRecord = v.InferOutput<typeof signedRecord>;

/** Infinity where it cannot be written as JSON at all (too deep). */
export function jsonBytes(value: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(value));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** The largest cluster.toml that can be published. */
const maxSpecBytes = 131_072;

export const specDocument: v.GenericSchema<unknown, SpecDocument> = v.object({
  version: v.pipe(counter, v.minValue(1)),
  toml: v.pipe(v.string(), v.maxBytes(maxSpecBytes)),
  publisher: nodeName,
  signature: base64,
});

export const admission = v.object({
  index,
  name: nodeName,
  address,
  /** SubjectPublicKeyInfo, base64. */
  publicKey: base64,
  /** A witness holds neither the CA key nor the secrets. */
  witness: v.boolean(),
  /** By the CA key, over all fields above and the cluster's id: nobody without the CA can make a member. */
  signature: base64,
  /** Roles granted so far; only grows. */
  roles: roleList,
  /** Removed or gone by itself; never goes back. */
  left: v.boolean(),
});
/** That a node is a member, and under which index and key. The index is never given again, so these are kept for ever. */
export type Admission = v.InferOutput<typeof admission>;

export const tokenRecord = v.object({
  id: v.pipe(v.string(), v.regex(/^[a-z0-9]{8}$/)),
  /** SHA-256 of the secret, hex. */
  hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
  /** Seconds since the epoch. */
  expiry: counter,
  /** Roles that may be taken with it; empty: any. */
  roles: roleList,
  /** 0: as often as one likes. */
  uses: counter,
  /** By the CA key, over all fields above: a stolen witness cannot invite. */
  signature: base64,
  /** Indexes of the members that entered with it; only grows. */
  usedBy: v.pipe(v.array(index), v.maxLength(10_000)),
  revoked: v.boolean(),
});
export type TokenRecord = v.InferOutput<typeof tokenRecord>;

/** What all members share. A message may carry a part of it. */
export const stateParts = v.object({
  admissions: v.optional(v.pipe(v.array(admission), v.maxLength(10_000)), []),
  records: v.optional(v.pipe(v.array(signedRecord), v.maxLength(10_000)), []),
  tokens: v.optional(v.pipe(v.array(tokenRecord), v.maxLength(10_000)), []),
  spec: v.optional(v.nullable(specDocument), null),
});
export type StateParts = v.InferOutput<typeof stateParts>;

/** What a member knows, in short: enough to say what it lacks. */
const summary = v.object({
  /** Of admissions, tokens and the spec: equal where they are. */
  documents: v.pipe(v.string(), v.maxLength(64)),
  /** [index, incarnation, version] of each record. */
  records: v.pipe(v.array(v.tuple([index, counter, counter])), v.maxLength(10_000)),
});
export type Summary = v.InferOutput<typeof summary>;

/** Who lives, as gossip of the one that speaks has it. */
const statements = v.optional(v.pipe(v.array(statement), v.maxLength(10_000)), []);

/** Two members compare what they know: the one that asks says it in short. */
export const exchangeRequest = v.object({
  /** The asker's own: the CA's word that it is a member, for one that did not know. */
  admission: v.optional(v.nullable(admission), null),
  summary,
  statements,
});

/** What the asker lacks, and what it is asked to push: records by index, and whether the documents. */
export const exchangeAnswer = v.object({
  parts: stateParts,
  /** Not all that the asker lacks fits into one answer: with these taken in, it may ask again. */
  more: v.optional(v.boolean(), false),
  wanted: v.object({ records: v.pipe(v.array(index), v.maxLength(10_000)), documents: v.boolean() }),
  statements,
});
export type ExchangeAnswer = v.InferOutput<typeof exchangeAnswer>;

/** The limits of what is asked at the door, before anything else is known of the joiner. */
export const joinRequest = v.object({
  token: v.object({ id: tokenRecord.entries.id, secret: v.pipe(v.string(), v.maxLength(128)) }),
  name: nodeName,
  address,
  roles: v.pipe(roleList, v.minLength(1)),
  /** How many disks it gives to them now. Absent: they have theirs; an older version does not say, and finds out later. */
  disks: v.optional(counter),
  publicKey: base64,
  /** By the key to be certified, over the fields above: proof that the joiner has it. */
  possession: base64,
  /** The joiner's clock, ms since the epoch. */
  wall: v.pipe(v.number(), v.finite()),
  protocol: counter,
  binaryVersion: short,
});
export type JoinRequest = v.InferOutput<typeof joinRequest>;

/** What a member asks whose certificate opens no door any more. */
export const renewRequest = v.object({
  index,
  /** Its clock, ms since the epoch. */
  wall: v.pipe(v.number(), v.finite()),
  /** By its key, over the fields above and the cluster's id. */
  possession: base64,
});

/** The other certificate, and how far the member that gives it is with a rotation of the CA. */
export const renewAnswer = v.object({
  certificate: v.pipe(v.string(), v.maxLength(8192)),
  rollover: v.optional(rollover),
});
export type RenewAnswer = v.InferInput<typeof renewAnswer>;

/** Read before all else, so that a version that we do not understand gets the answer that says so. */
export const joinVersion = v.object({ protocol: counter, binaryVersion: short });

const pem = v.pipe(v.string(), v.maxLength(8192));
export const secretsTable = v.record(v.string(), v.record(v.string(), v.pipe(v.string(), v.maxLength(1024))));

export const joinAnswer = v.object({
  cluster: v.object({ name: nodeName, id: v.pipe(v.string(), v.regex(/^[a-z0-9]{1,64}$/)) }),
  index,
  certificate: pem,
  /** The one that signs. */
  ca: pem,
  /** Absent where the CA was never rotated. */
  rollover: v.optional(rollover),
  /** The key that seals. An older version takes this one alone. */
  gossipKey: base64,
  /** Absent from an older version. */
  keyRing: v.optional(keyRing),
  /** Absent for a witness. */
  caKey: v.optional(pem),
  secrets: v.optional(secretsTable),
  state: stateParts,
});
export type JoinAnswer = v.InferOutput<typeof joinAnswer>;

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { signCertificate, type Name } from "./x509.ts";

const dayMs = 86_400_000;
/** A CA that expires ends the cluster, so it outlives the hardware; node certificates are renewed by the agent. */
const caDays = 3650;
const nodeDays = 730;
/** Certificates begin a day ago: the clocks of two members need not agree better than that. */
const backdateMs = dayMs;

export interface KeyPair {
  /** SubjectPublicKeyInfo, base64 DER: the form that records and messages carry. */
  publicKey: string;
  /** PKCS#8 PEM. */
  privateKey: string;
}

/** A CA as its holder sees it. `key` is a secret (law 6). */
export interface Authority {
  cert: string;
  key: string;
}

export function generateKey(): KeyPair {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    publicKey: pair.publicKey.export({ type: "spki", format: "der" }).toString("base64"),
    privateKey: pair.privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}

export function publicKeyOf(privateKeyPem: string): string {
  return createPublicKey(createPrivateKey(privateKeyPem))
    .export({ type: "spki", format: "der" })
    .toString("base64");
}

/** True for a base64 P-256 SubjectPublicKeyInfo: the only kind of key that is ever certified. */
export function isUsableKey(publicKey: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    if (key.asymmetricKeyType !== "ec" || key.asymmetricKeyDetails?.namedCurve !== "prime256v1") return false;
    // Exactly this encoding: the bytes go into a certificate as they are.
    return key.export({ type: "spki", format: "der" }).toString("base64") === publicKey;
  } catch {
    return false;
  }
}

/** What a token pins: SHA-256 of the CA's public key, unpadded base64url. */
export function caHash(caCert: string): string {
  return createHash("sha256")
    .update(spki(new X509Certificate(caCert)))
    .digest("base64url");
}

function spki(certificate: X509Certificate): Buffer {
  return certificate.publicKey.export({ type: "spki", format: "der" });
}

function caName(cluster: { name: string; id: string }): Name {
  return { commonName: `${cluster.name} CA`, organization: cluster.id };
}

export function createAuthority(cluster: { name: string; id: string }, now: number): Authority {
  const key = generateKey();
  const publicKey = Buffer.from(key.publicKey, "base64");
  const cert = signCertificate({
    subject: caName(cluster),
    issuer: caName(cluster),
    publicKey,
    issuerPublicKey: publicKey,
    issuerKey: key.privateKey,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + caDays * dayMs),
    usage: "ca",
    alternativeNames: [],
  });
  return { cert, key: key.privateKey };
}

interface Subject {
  cluster: { name: string; id: string };
  commonName: string;
  publicKey: string;
  alternativeNames: readonly string[];
}

export function certify(authority: Authority, subject: Subject, now: number): string {
  return signCertificate({
    subject: { commonName: subject.commonName, organization: subject.cluster.id },
    issuer: caName(subject.cluster),
    publicKey: Buffer.from(subject.publicKey, "base64"),
    issuerPublicKey: spki(new X509Certificate(authority.cert)),
    issuerKey: authority.key,
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + nodeDays * dayMs),
    usage: "peer",
    alternativeNames: subject.alternativeNames,
  });
}

/** An agent's certificate names its index in a URI, which a service's certificate has not: a stolen mysqld key is no agent. */
export function certifyNode(
  authority: Authority,
  cluster: { name: string; id: string },
  node: { name: string; index: number; address: string; publicKey: string },
  now: number,
): string {
  return certify(
    authority,
    {
      cluster,
      commonName: node.name,
      publicKey: node.publicKey,
      alternativeNames: [node.name, node.address, `chime://${cluster.id}/node/${node.index}`],
    },
    now,
  );
}

/** Who an agent's certificate says it is. */
export interface PeerIdentity {
  name: string;
  index: number;
  publicKey: string;
}

/**
 * Reads and checks an agent's certificate by hand, on top of what TLS did: signed by one of these CAs, in its time, and
 * issued to an agent of this cluster.
 * @param now wall clock in ms, or undefined where dates cannot be judged yet (a joiner's clock may be wrong)
 */
export function readNodeCertificate(
  certificate: X509Certificate,
  cas: readonly X509Certificate[],
  now: number | undefined,
): { peer: PeerIdentity; cluster: string } | undefined {
  if (!cas.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey))) return undefined;
  if (now !== undefined && (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)))
    return undefined;
  const uri = /(?:^|, )URI:chime:\/\/([a-z0-9]{1,64})\/node\/(\d{1,6})(?:,|$)/.exec(
    certificate.subjectAltName ?? "",
  );
  const name = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  if (!uri || !name) return undefined;
  return {
    peer: { name, index: Number(uri[2]), publicKey: spki(certificate).toString("base64") },
    cluster: uri[1] as string,
  };
}

/** Base64 ECDSA signature over the JSON of `fields`: an array, so that the bytes are the same everywhere. */
export function signFields(privateKeyPem: string, fields: readonly unknown[]): string {
  return sign("sha256", Buffer.from(JSON.stringify(fields)), privateKeyPem).toString("base64");
}

/** @param publicKey base64 SubjectPublicKeyInfo */
export function verifyFields(publicKey: string, fields: readonly unknown[], signature: string): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
    return verify("sha256", Buffer.from(JSON.stringify(fields)), key, Buffer.from(signature, "base64"));
  } catch {
    return false;
  }
}

export function caPublicKey(caCert: string): string {
  return spki(new X509Certificate(caCert)).toString("base64");
}

import { createHash, randomBytes, sign } from "node:crypto";
import { isIP } from "node:net";
import * as der from "./der.ts";

/**
 * Certificates by RFC 5280, ECDSA P-256 with SHA-256 only. Written out here because a certificate library would stay
 * in the agent's memory after the first join (measured: 15 MB of the 60 MB that the agent may have).
 */
export interface CertificateRequest {
  subject: Name;
  issuer: Name;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Uint8Array;
  issuerPublicKey: Uint8Array;
  /** PKCS#8 PEM of the issuer. */
  issuerKey: string;
  notBefore: Date;
  notAfter: Date;
  usage: "ca" | "peer";
  /** IP addresses, DNS names and URIs (anything with a scheme). */
  alternativeNames: readonly string[];
}

export interface Name {
  commonName: string;
  organization: string;
}

const ids = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** Returns the signed certificate as PEM. */
export function signCertificate(request: CertificateRequest): string {
  const algorithm = der.sequence(der.oid(ids.ecdsaWithSha256));
  const body = der.sequence(
    der.explicit(0, der.integer(Buffer.from([2]))),
    // RFC 5280 §4.1.2.2: positive, unique, at most 20 bytes.
    der.integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    algorithm,
    name(request.issuer),
    der.sequence(der.time(request.notBefore), der.time(request.notAfter)),
    name(request.subject),
    request.publicKey,
    der.explicit(3, der.sequence(...extensions(request))),
  );
  const signature = sign("sha256", body, { key: request.issuerKey, dsaEncoding: "der" });
  return pem(der.sequence(body, algorithm, der.bitString(signature)));
}

function name({ commonName, organization }: Name): Buffer {
  return der.sequence(attribute(ids.organization, organization), attribute(ids.commonName, commonName));
}

function attribute(id: string, value: string): Buffer {
  return der.set(der.sequence(der.oid(id), der.utf8String(value)));
}

function extensions(request: CertificateRequest): Buffer[] {
  const critical = der.boolean(true);
  const subjectKey = der.octetString(keyIdentifier(request.publicKey));
  const common = [
    extension(ids.subjectKeyIdentifier, subjectKey),
    extension(
      ids.authorityKeyIdentifier,
      der.sequence(der.implicit(0, keyIdentifier(request.issuerPublicKey))),
    ),
  ];
  if (request.usage === "ca") {
    return [
      extension(
        ids.basicConstraints,
        der.sequence(der.boolean(true), der.integer(Buffer.from([0]))),
        critical,
      ),
      // keyCertSign and cRLSign: bits 5 and 6.
      extension(ids.keyUsage, der.bitString(Buffer.from([0b0000_0110]), 1), critical),
      ...common,
    ];
  }
  return [
    extension(ids.basicConstraints, der.sequence(), critical),
    // digitalSignature: bit 0.
    extension(ids.keyUsage, der.bitString(Buffer.from([0b1000_0000]), 7), critical),
    extension(ids.extendedKeyUsage, der.sequence(der.oid(ids.serverAuth), der.oid(ids.clientAuth))),
    extension(ids.subjectAltName, der.sequence(...request.alternativeNames.map(generalName))),
    ...common,
  ];
}

function extension(id: string, value: Uint8Array, critical?: Uint8Array): Buffer {
  return der.sequence(der.oid(id), ...(critical ? [critical] : []), der.octetString(value));
}

/** RFC 5280 §4.2.1.6: dNSName [2], uniformResourceIdentifier [6], iPAddress [7]. */
function generalName(text: string): Buffer {
  if (isIP(text) !== 0) return der.implicit(7, addressBytes(text));
  return der.implicit(text.includes("://") ? 6 : 2, Buffer.from(text, "ascii"));
}

function addressBytes(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split(".").map(Number));
  // The URL parser writes an IPv6 address in its shortest form, without dots (WHATWG URL, IPv6 serializer).
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const first = groups(head);
  const last = groups(tail);
  const zeros = Array.from({ length: 8 - first.length - last.length }, () => 0);
  return Buffer.from([...first, ...zeros, ...last].flatMap((group) => [group >>> 8, group & 0xff]));
}

/** RFC 7093 §2, method 1: the leftmost 160 bits of SHA-256 over the key. */
function keyIdentifier(publicKey: Uint8Array): Buffer {
  return createHash("sha256").update(publicKey).digest().subarray(0, 20);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}

function groups(part: string | undefined): number[] {
  return part ? part.split(":").map((group) => Number.parseInt(group, 16)) : [];
}

import { X509Certificate } from "node:crypto";
import type { Credentials } from "./identity.ts";
import { caHash, caPublicKey, type Authority } from "./pki.ts";
import { lastStage } from "./rollover.ts";

/** What follows from a rotation of the CA (rollover.ts), for whoever uses certificates and signatures. Pure. */

type Anchored = Pick<Credentials, "ca" | "rollover">;
type Held = Pick<Credentials, "ca" | "caKey" | "certificate" | "rollover" | "next">;

/** The CA whose signature counts for what is signed now: certificates, admissions, tokens, gossip's keys. PEM. */
export function signingCa({ ca, rollover }: Anchored): string {
  return rollover === undefined || rollover.stage === 1 ? ca : rollover.after;
}

/** Undefined on a witness, and on a member that has yet to be given the new key. */
export function signer(
  held: Pick<Held, "ca" | "caKey" | "rollover" | "next">,
  cert = signingCa(held),
): Authority | undefined {
  const key = cert === held.ca ? held.caKey : held.next?.caKey;
  return key === undefined ? undefined : { cert, key };
}

/**
 * The CA that signs for services: the new one from the operator's word on, so that clients that verify have the time until
 * then to be given its certificate.
 * @param isOldHeld whether this node has the old one's key: who came in during the rotation has not
 */
export function serviceCa(held: Anchored, isOldHeld: boolean): string {
  return held.rollover?.stage === 2 && isOldHeld ? held.ca : signingCa(held);
}

/** The CAs whose certificates are taken; PEM, the one that stays last. */
export function trustedCas({ ca, rollover }: Anchored): string[] {
  if (!rollover) return [ca];
  return rollover.stage < lastStage ? [rollover.before, rollover.after] : [rollover.after];
}

/** A certificate with the CA that it comes from. */
interface Shown {
  certificate: string;
  ca: string;
}

/**
 * What a peer is shown.
 * @param wanted the CA that it is known to go by, as a hash; undefined: nothing is known of it
 */
export function shownTo(held: Held, wanted: string | undefined): Shown {
  const { ca, certificate, next, rollover } = held;
  const fresh = next?.certificate;
  if (fresh !== undefined && rollover && (rollover.stage > 2 || wanted === caHash(rollover.after)))
    return { certificate: fresh, ca: rollover.after };
  // Who came in during the rotation has one of the new CA alone.
  const issuer = trustedCas(held).find((one) => isIssuedBy(certificate, one));
  return { certificate, ca: issuer ?? ca };
}

export function isIssuedBy(certificate: string, ca: string): boolean {
  const authority = new X509Certificate(ca);
  const read = new X509Certificate(certificate);
  return read.checkIssued(authority) && read.verify(authority.publicKey);
}

/** By whose word somebody is a member, or a token good. */
export interface Trust {
  /** The CA's public key, base64. */
  caKey: string;
  /** Who stays admitted whatever signed it, by index: hashes of admissions. */
  listed: ReadonlyMap<number, string>;
  /** Those of them that had left then: nobody brings them back. */
  departed: ReadonlySet<number>;
}

export function trustIn({ ca, rollover }: Anchored): Trust {
  const members = rollover?.members ?? [];
  return {
    caKey: caPublicKey(rollover?.after ?? ca),
    listed: new Map(members.map(([index, hash]) => [index, hash])),
    departed: new Set(members.flatMap(([index, , left]) => (left ? [index] : []))),
  };
}

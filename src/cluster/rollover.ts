import { createHash, X509Certificate } from "node:crypto";
import * as v from "valibot";
import { caHash, caPublicKey, isUsableKey, signFields, verifyFields } from "./pki.ts";

/**
 * From one CA to the next, as the cluster agreed on it: RFC 4210's "root CA key update" with barriers instead of certificates
 * that one CA signs for the other, for whoever stole the old key could make those, too.
 */

/**
 * 1: both are trusted. 2: the new one signs for agents; who knows of the old one alone is still shown certificates of that. 3, on
 * the operator's word: those of the new one are shown to all, by services, too. 4: the new one alone is trusted, and the rotation is over.
 */
export const stages = [1, 2, 3, 4] as const;
export type Stage = (typeof stages)[number];
export const lastStage = 4;

const pem = v.pipe(v.string(), v.maxLength(4096));
const signature = v.pipe(v.string(), v.maxLength(200));
const round = v.pipe(v.number(), v.safeInteger(), v.minValue(1), v.maxValue(1_000_000));
const index = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(99_999));
const hash = v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/));

export const rollover = v.object({
  /** Counts the cluster's rotations. */
  round,
  stage: v.picklist(stages),
  /** The CAs' certificates, PEM. */
  before: pem,
  after: pem,
  /**
   * Those that were members when it began, by what the CA before had signed of them (`admissionHash`), those that left, too.
   * They stay admitted; of all others the signature of the CA after is asked for, from stage 1 on: the thief of a key can
   * make a member only until then. True: it had left, and stays so. `left` is in no signature, and who had not heard of it
   * would take it for one that is there.
   */
  members: v.pipe(v.array(v.tuple([index, hash, v.boolean()])), v.maxLength(10_000)),
  /** By the CA before, over all above but the stage: for members that know of none yet. */
  begun: signature,
  /** By the CA after, over all above: who knows of it goes on at the word of no other. */
  signature,
});
export type Rollover = v.InferOutput<typeof rollover>;

/** What a member publishes. */
export const rolloverState = v.object({
  version: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{8}$/)),
  /** It has done its part in the stage, its services, too. */
  through: v.boolean(),
});
export type RolloverState = v.InferOutput<typeof rolloverState>;

/** Rises by one a stage, from 0 in a cluster that has the CA that it was made with. */
export function versionOf(at: Rollover | undefined): number {
  return at ? (at.round - 1) * stages.length + at.stage : 0;
}

/** @param ca the present CA where there was no rotation */
export function idOf(at: Rollover | undefined, ca: string): string {
  const fields = JSON.stringify([versionOf(at), caHash(at?.after ?? ca)]);
  return createHash("sha256").update(fields).digest("hex").slice(0, 8);
}

type Begun = Omit<Rollover, "stage" | "begun" | "signature">;

function begunFields(cluster: string, { round: count, before, after, members }: Begun): unknown[] {
  return ["chime-ca-rotation-1", cluster, count, before, after, members];
}

function stageFields(cluster: string, at: Omit<Rollover, "signature">): unknown[] {
  return ["chime-ca-stage-1", at.stage, at.begun, ...begunFields(cluster, at)];
}

/** Stage 1. @param keys of the two CAs, PEM */
export function beginRollover(
  cluster: string,
  keys: { before: string; after: string },
  begun: Begun,
): Rollover {
  const signed = { ...begun, stage: 1 as const, begun: signFields(keys.before, begunFields(cluster, begun)) };
  return { ...signed, signature: signFields(keys.after, stageFields(cluster, signed)) };
}

/** @param key of the CA after, PEM */
export function nextStage(cluster: string, key: string, at: Rollover): Rollover {
  const next = { ...at, stage: (at.stage + 1) as Stage };
  return { ...next, signature: signFields(key, stageFields(cluster, next)) };
}

/**
 * Whether a member may go from what it has to what it is offered. Where it knows of this rotation already, or of the one
 * before, the key that was stolen does not count any more.
 * @param ca the CA that it goes by where it knows of no rotation, PEM
 */
export function mayFollow(
  cluster: string,
  { own, ca }: { own: Rollover | undefined; ca: string },
  next: Rollover,
): boolean {
  if (!isSound(cluster, next)) return false;
  const { round: count = 0, after: newest = ca } = own ?? {};
  if (own && next.round === count) {
    const isSame = JSON.stringify(begunFields(cluster, own)) === JSON.stringify(begunFields(cluster, next));
    return isSame && next.stage > own.stage;
  }
  return (
    next.round === count + 1 &&
    next.before === newest &&
    verifyFields(caPublicKey(newest), begunFields(cluster, next), next.begun)
  );
}

/** That the CA after is one, and signed the stage. */
export function isSound(cluster: string, at: Rollover): boolean {
  try {
    const after = new X509Certificate(at.after);
    return (
      after.ca &&
      after.verify(after.publicKey) &&
      isUsableKey(caPublicKey(at.after)) &&
      caHash(at.after) !== caHash(at.before) &&
      verifyFields(caPublicKey(at.after), stageFields(cluster, at), at.signature)
    );
  } catch {
    return false;
  }
}

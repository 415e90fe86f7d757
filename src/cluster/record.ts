import * as v from "valibot";
import { signFields, verifyFields } from "./pki.ts";
import { member, type SignedRecord } from "./schema.ts";
import type { Member } from "./types.ts";

/** Signed is the text itself: a member that knows fewer fields than the writer passes it on whole. */
function fields(clusterId: string, text: string): string[] {
  return ["chime-record-1", clusterId, text];
}

/** @param key the node's own key, PEM */
export function signRecord(key: string, clusterId: string, record: Member): SignedRecord {
  const text = JSON.stringify(record);
  return { text, signature: signFields(key, fields(clusterId, text)) };
}

/** @param publicKey of the member whose record it claims to be, base64 */
export function recordIsGenuine(
  publicKey: string,
  clusterId: string,
  { text, signature }: SignedRecord,
): boolean {
  return verifyFields(publicKey, fields(clusterId, text), signature);
}

/** What it says, whoever wrote it; undefined where that cannot be read. */
export function readRecord({ text }: SignedRecord): Member | undefined {
  try {
    const read = v.safeParse(member, JSON.parse(text));
    return read.success ? read.output : undefined;
  } catch {
    return undefined;
  }
}

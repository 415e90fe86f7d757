import { signFields, verifyFields } from "./pki.ts";
import type { SpecDocument } from "./types.ts";

function fields(clusterId: string, document: Omit<SpecDocument, "signature">): unknown[] {
  return ["chime-spec-1", clusterId, document.version, document.publisher, document.toml];
}

/** @param key the publisher's node key, PEM */
export function signSpec(
  key: string,
  clusterId: string,
  document: Omit<SpecDocument, "signature">,
): SpecDocument {
  return { ...document, signature: signFields(key, fields(clusterId, document)) };
}

/** @param publicKeys keys of all members that ever had the publisher's name */
export function specIsGenuine(
  clusterId: string,
  document: SpecDocument,
  publicKeys: readonly string[],
): boolean {
  return publicKeys.some((key) => verifyFields(key, fields(clusterId, document), document.signature));
}

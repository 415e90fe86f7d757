import { randomBytes, randomInt } from "node:crypto";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** A uniformly random `[A-Za-z0-9]` string (law 6 allows no character that some config syntax would need to escape). */
export function randomSecret(length = 32): string {
  let out = "";
  // 248 = 4 × 62: bytes above it are dropped, so that no character is likelier than another.
  while (out.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < 248 && out.length < length) out += alphabet[byte % 62];
    }
  }
  return out;
}

/** The same in any order, each as likely (Fisher and Yates). */
export function shuffled<T>(items: readonly T[]): T[] {
  const left = [...items];
  return Array.from(items, () => left.splice(randomInt(left.length), 1)[0] as T);
}

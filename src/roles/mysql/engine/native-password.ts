import { createHash } from "node:crypto";

/** mysql_native_password: `*` and SHA1(SHA1(password)) in capitals. */
export function nativeHash(password: string): string {
  const once = createHash("sha1").update(password).digest();
  return `*${createHash("sha1").update(once).digest("hex").toUpperCase()}`;
}

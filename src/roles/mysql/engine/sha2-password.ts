import { createHash, randomInt } from "node:crypto";

/**
 * The text that caching_sha2_password keeps of a password: `$A$`, the thousands of rounds as three hexadecimal digits,
 * `$`, a salt of 20 bytes, and SHA-crypt's digest (mysql-server, sql/auth/sha2_password.cc;
 * https://www.akkadia.org/drepper/SHA-crypt.txt).
 */
export function sha2Password(password: string, salt = freshSalt(), thousands = 5): string {
  const digest = shaCrypt(Buffer.from(password), Buffer.from(salt, "latin1"), thousands * 1000);
  return `$A$${thousands.toString(16).toUpperCase().padStart(3, "0")}$${salt}${digest}`;
}

/** Whether `kept`, read as latin1, is of this password. */
export function isSha2PasswordOf(kept: string, password: string): boolean {
  const [, thousands, salt] = /^\$A\$([0-9A-F]{3})\$([^]{20})[./0-9A-Za-z]{43}$/.exec(kept) ?? [];
  if (thousands === undefined || salt === undefined) return false;
  return kept === sha2Password(password, salt, Number.parseInt(thousands, 16));
}

const saltLength = 20;
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function freshSalt(): string {
  return Array.from({ length: saltLength }, () => alphabet[randomInt(alphabet.length)]).join("");
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** SHA-crypt with SHA-256; the steps' names are those of its specification. */
export function shaCrypt(key: Buffer, salt: Buffer, rounds: number): string {
  const b = sha256(key, salt, key);
  const bits: Buffer[] = [];
  for (let n = key.length; n > 0; n >>= 1) bits.push(n & 1 ? b : key);
  let a = sha256(key, salt, repeat(b, key.length), ...bits);
  const p = repeat(sha256(repeat(key, key.length * key.length)), key.length);
  const s = repeat(sha256(repeat(salt, salt.length * (16 + (a[0] ?? 0)))), salt.length);
  for (let i = 0; i < rounds; i++) {
    const odd = i % 2 === 1;
    const middle = [...(i % 3 ? [s] : []), ...(i % 7 ? [p] : [])];
    a = odd ? sha256(p, ...middle, a) : sha256(a, ...middle, p);
  }
  return encode(a);
}

/** `bytes` over and over, cut at `length`. */
function repeat(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** Bytes 0, 10, 20, then each triple one further and rotated; the last two bytes alone. */
function encode(digest: Buffer): string {
  let text = "";
  let [x, y, z] = [0, 10, 20];
  const at = (i: number) => digest[i] ?? 0;
  for (let n = 0; n < 10; n++) {
    text += base64((at(x) << 16) | (at(y) << 8) | at(z), 4);
    [x, y, z] = [z + 1, x + 1, y + 1];
  }
  return text + base64((at(31) << 8) | at(30), 3);
}

function base64(value: number, chars: number): string {
  return Array.from({ length: chars }, (_, i) => alphabet[(value >> (6 * i)) & 63]).join("");
}

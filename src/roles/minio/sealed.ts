import { argon2, createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { failed } from "../../core/errors.ts";

/**
 * How bodies of the admin API are encrypted with a secret key (madmin's EncryptData over secure-io/sio):
 *   salt 32 | algorithm 1 | nonce 8 | pieces, each of 16 KiB and its tag
 * Piece n has the nonce followed by n, from 1 on; under its tag is a byte that says whether it is the last, and the
 * tag of nothing at all under n = 0.
 */
const saltBytes = 32;
const nonceBytes = 8;
const headBytes = saltBytes + 1 + nonceBytes;
const pieceBytes = 16_384;
const tagBytes = 16;

/** Argon2id for the key and AES-256-GCM: what a server with AES in its processor answers with. */
const argon2idAesGcm = 0;
const cost = { passes: 1, memory: 65_536, parallelism: 4, tagLength: 32 } as const;
const cipherName = "aes-256-gcm";

const argon2Async = promisify(argon2);

/** Takes 0.1 s of a core and 64 MiB, which is what the format is for. */
async function keyOf(secretKey: string, salt: Uint8Array): Promise<Buffer> {
  return argon2Async("argon2id", { message: secretKey, nonce: salt, ...cost });
}

export async function seal(secretKey: string, text: string): Promise<Uint8Array> {
  const salt = randomBytes(saltBytes);
  const nonce = randomBytes(nonceBytes);
  const key = await keyOf(secretKey, salt);
  const data = Buffer.from(text);
  const pieces: Buffer[] = [salt, Buffer.of(argon2idAesGcm), nonce];
  const count = Math.max(1, Math.ceil(data.length / pieceBytes));
  for (let n = 1; n <= count; n++) {
    const cipher = createCipheriv(cipherName, key, nonceOf(nonce, n));
    cipher.setAAD(associated(key, nonce, n === count));
    pieces.push(cipher.update(data.subarray((n - 1) * pieceBytes, n * pieceBytes)));
    cipher.final();
    pieces.push(cipher.getAuthTag());
  }
  return Buffer.concat(pieces);
}

/** @throws ChimeError `minio.answer` where it was not sealed with this key, or changed or cut since */
export async function unseal(secretKey: string, sealed: Uint8Array): Promise<string> {
  const [salt, nonce] = [sealed.subarray(0, saltBytes), sealed.subarray(saltBytes + 1, headBytes)];
  const data = sealed.subarray(headBytes);
  if (data.length < tagBytes || sealed[saltBytes] !== argon2idAesGcm) throw unreadable();
  const key = await keyOf(secretKey, salt);
  const pieces: Buffer[] = [];
  const count = Math.ceil(data.length / (pieceBytes + tagBytes));
  for (let n = 1; n <= count; n++) {
    const piece = data.subarray((n - 1) * (pieceBytes + tagBytes), n * (pieceBytes + tagBytes));
    if (piece.length < tagBytes) throw unreadable();
    const decipher = createDecipheriv(cipherName, key, nonceOf(nonce, n));
    decipher.setAAD(associated(key, nonce, n === count));
    decipher.setAuthTag(piece.subarray(-tagBytes));
    try {
      pieces.push(decipher.update(piece.subarray(0, -tagBytes)));
      decipher.final();
    } catch {
      throw unreadable();
    }
  }
  return Buffer.concat(pieces).toString();
}

function unreadable(): Error {
  return failed("minio.answer", "the store answers with what cannot be decrypted by the key that asked");
}

function nonceOf(nonce: Uint8Array, n: number): Buffer {
  const counter = Buffer.alloc(4);
  counter.writeUInt32LE(n);
  return Buffer.concat([nonce, counter]);
}

function associated(key: Buffer, nonce: Uint8Array, isLast: boolean): Buffer {
  const cipher = createCipheriv(cipherName, key, nonceOf(nonce, 0));
  cipher.final();
  return Buffer.concat([Buffer.of(isLast ? 0x80 : 0), cipher.getAuthTag()]);
}

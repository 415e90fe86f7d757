import { createHash, timingSafeEqual } from "node:crypto";
import * as v from "valibot";
import { usageError, type ChimeError } from "../core/errors.ts";
import { registerSecret } from "../core/mask.ts";
import { roleList } from "./schema.ts";

/** design.md §4: `chime1.` + unpadded base64url of one JSON object. */
const prefix = "chime1.";
/** A token of 32 addresses and 16 roles stays well below; longer input is not looked at. */
const maxTokenLength = 4096;

const content = v.strictObject({
  /** The cluster's id. */
  cluster: v.pipe(v.string(), v.regex(/^[a-z0-9]{1,64}$/)),
  /** `ADDRESS` or `ADDRESS:PORT` of members, in the order to try. */
  addresses: v.pipe(v.array(v.pipe(v.string(), v.maxLength(64))), v.minLength(1), v.maxLength(32)),
  /** SHA-256 of the CA's public key, base64url. */
  ca: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{43}$/)),
  id: v.pipe(v.string(), v.regex(/^[a-z0-9]{8}$/)),
  secret: v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{32}$/)),
  /** Seconds since the epoch. */
  expiry: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  /** Roles that may be taken with it; empty: any. */
  roles: roleList,
  /** 0: as often as one likes. */
  uses: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});
export type Token = v.InferOutput<typeof content>;

export function formatToken(token: Token): string {
  return prefix + Buffer.from(JSON.stringify(token)).toString("base64url");
}

/**
 * Reads a token as an operator typed it and registers its secret with core/mask.
 * @throws ChimeError `token.malformed` (exit 2), which says what is wrong but never repeats the token
 */
export function parseToken(text: string): Token {
  const trimmed = text.trim();
  if (trimmed === "") throw malformed("the token is empty");
  if (!trimmed.startsWith(prefix)) throw malformed(`a token begins with "${prefix}", this one does not`);
  if (trimmed.length > maxTokenLength) throw malformed("the token is too long");
  const body = trimmed.slice(prefix.length);
  if (!/^[A-Za-z0-9_-]*$/.test(body)) {
    throw malformed("the token holds characters that no token has (a line break, a quote?)");
  }
  registerSecret(trimmed);
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(body, "base64url").toString("utf8"));
  } catch {
    throw malformed("the token is cut off or damaged");
  }
  const parsed = v.safeParse(content, json);
  if (!parsed.success) throw malformed("the token is damaged: its content is not that of a join token");
  registerSecret(parsed.output.secret);
  return parsed.output;
}

function malformed(cause: string): ChimeError {
  return usageError(
    "token.malformed",
    cause,
    "copy the whole line that chime-node token create prints on a member",
  );
}

/** What the cluster keeps of a token's secret. The secret has 190 random bits: a plain hash is enough. */
export function hashSecret(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

/** Compares without telling by its duration how much of the secret was right. */
export function secretMatches(secret: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret), "hex"), Buffer.from(hash, "hex"));
}

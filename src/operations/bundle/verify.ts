import { ByteSource } from "../../bundle/bytes.ts";
import { readPublicKey, type PublicKey } from "../../bundle/keys.ts";
import { readBundle } from "../../bundle/read.ts";
import { build } from "../../core/build.ts";
import { describe, type Described } from "./describe.ts";
import type { Io } from "../io.ts";

/** `bundle verify --json`. */
export interface Verified extends Described {
  signer: PublicKey;
}

/**
 * Reads all of a bundle and keeps nothing.
 * @param keys files or lines; none: those that releases are signed with
 * @throws ChimeError what `readBundle` throws (exit 3), `bundle.bad_key` (exit 2)
 */
export async function verifyBundle(file: string, keys: readonly string[], io: Io): Promise<Verified> {
  const trusted = keys.length === 0 ? build.trustedKeys : await Promise.all(keys.map(readPublicKey));
  io.progress(`checking ${file}`);
  const trust = { keys: trusted, revoked: [] };
  const opened = await ByteSource.over(file, (source) => readBundle(source, trust));
  return { ...describe(opened), signer: opened.signer };
}

import { failed } from "../../core/errors.ts";
import { armor, dearmor } from "../openpgp/armor.ts";
import { readKeys } from "../openpgp/keys.ts";

/** A vendor's key file and the one key in it that we trust. */
export interface KeySource {
  /** https. */
  url: string;
  /** Of the primary key, 40 hexadecimal digits in upper case. */
  fingerprint: string;
}

/** The largest vendors' files hold some ten keys in 30 KiB. */
export const largestKeyFile = 256 << 10;

/**
 * What a fetched key file becomes on disk: the pinned key in ASCII armor, and none of the others that may be with it.
 * @param now ms since the epoch
 * @throws ChimeError `packages.untrusted`, `openpgp.broken`
 */
export function pinnedKey(fetched: Uint8Array, { url, fingerprint }: KeySource, now: number): string {
  const keys = readKeys(dearmor(fetched));
  const key = keys.find((candidate) => candidate.fingerprint === fingerprint);
  if (!key) {
    const found = keys.map((other) => other.fingerprint).join(", ") || "none";
    throw untrusted(
      `the key at ${url} is not the one that this release trusts (${fingerprint}), but ${found}`,
      "find out whether the vendor changed its key; a release of chime-node with the new one is needed then",
    );
  }
  if (key.revoked) throw untrusted(`the key at ${url} was revoked by its owner`, useOs);
  if (key.expires !== undefined && key.expires <= now) {
    throw untrusted(
      `the key at ${url} ran out on ${new Date(key.expires).toISOString().slice(0, 10)}`,
      useOs,
    );
  }
  return armor(key.bytes);
}

/** Whether what stands on disk is that key, whole, still good, and alone. */
export function isPinned(text: string, source: KeySource, now: number): boolean {
  try {
    return pinnedKey(Buffer.from(text), source, now) === text;
  } catch {
    return false;
  }
}

const useOs =
  'correct the clock if it is wrong; else set cluster.packages = "os" and add a repository of your own that has it';

function untrusted(message: string, remedy: string) {
  return failed("packages.untrusted", message, { remedy });
}

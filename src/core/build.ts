/** A third-party component inside the binary. */
export interface Part {
  name: string;
  version: string;
  /** SPDX expression, as its package says. */
  license: string;
}

/** What scripts/build knew when it made this binary. */
export interface Build {
  /** Of the checkout; null where it was none. */
  commit: string | null;
  /** The sources had changes that are in no commit. */
  modified: boolean;
  parts: readonly Part[];
  /** Ed25519 keys that releases are signed with: base64 of the public key's SPKI form, as in a PEM file. */
  trustedKeys: readonly string[];
}

/** Put in by the bundler; there is none where the sources run as they are. */
declare const CHIME_BUILD: Build | undefined;

export const build: Build =
  typeof CHIME_BUILD === "undefined"
    ? { commit: null, modified: false, parts: [], trustedKeys: [] }
    : CHIME_BUILD;

/**
 * The form of what this version writes below /etc/chime-node and /var/lib/chime-node. Raised by the version that first
 * writes what the one before cannot read; install.sh puts no binary with a lower number on a node that is in a cluster.
 * 2: after a rotation of the CA members stay admitted by its list (`pki/ca-rotation.json`); who cannot read it knows none of them.
 */
export const stateForm = 2;

import { readPublicKey, type PublicKey } from "../../bundle/keys.ts";
import type { Opened } from "../../bundle/read.ts";
import { importBundle, storedBundles } from "../../bundle/store.ts";
import { withLock } from "../../core/lock.ts";
import { paths } from "../../core/paths.ts";
import { requireRoot } from "../context.ts";
import type { Io } from "../io.ts";
import { describe, type Described } from "./describe.ts";
import { requireFitting } from "./fit.ts";
import { clusterSpec, rememberKeys, trustHere } from "./trust.ts";

/** `bundle import --json`. */
export interface Imported extends Described {
  signer: PublicKey;
  /** False where it had been imported before. */
  new: boolean;
}

/**
 * Makes a bundle's packages this node's to install. Nothing of it stays where it is refused.
 * @param trust public keys (files or lines) that count from now on, if one of them has signed
 * @throws ChimeError `bundle.*` (exit 3), `bundle.bad_key` (exit 2), `host.*`
 */
export async function importHere(file: string, trust: readonly string[], io: Io): Promise<Imported> {
  requireRoot();
  const given = await Promise.all(trust.map(readPublicKey));
  return withLock("bundle", "bundle import", async () => {
    const { keys, revoked } = await trustHere(await clusterSpec());
    io.progress(`checking ${file} and copying it to ${paths.bundles}`);
    const opened = await importBundle(
      file,
      paths.bundles,
      { keys: [...given, ...keys], revoked },
      ({ manifest }: Opened) => requireFitting(manifest, "whole"),
    );
    if (given.includes(opened.signer)) await rememberKeys([opened.signer]);
    return { ...describe(opened), signer: opened.signer, new: opened.isNew };
  });
}

/** `bundle list --json`. */
export async function listBundles(): Promise<Described[]> {
  requireRoot();
  return (await storedBundles(paths.bundles)).map(describe);
}

import { toChimeError } from "../core/errors.ts";
import { makeParents, readText, writeAtomically } from "../host/files.ts";
import { packageManager } from "../host/packages/index.ts";
import { isPinned, pinnedKey, type KeySource } from "../host/packages/pinned-key.ts";
import { remember, restore } from "./before.ts";
import { fingerprint } from "./fingerprint.ts";
import type { ApplyContext, Kind, Resource } from "./types.ts";

export interface VendorKeyOptions extends KeySource {
  path: string;
  /** `Facts.os.family`: who fetches it. */
  family: string;
  needs?: readonly string[];
  /** Ms since the epoch. Default: now. */
  now?: number;
}

/** Vendors give a key more time under the same fingerprint, weeks before it ends: then the file has to be fetched again. */
const weekMs = 7 * 86_400_000;

/**
 * The key that a vendor signs its repository with, fetched over https and written only if its fingerprint is the
 * pinned one. Wanted anew each week; while the vendor cannot be reached then, the one that is there stays.
 */
export function vendorKey(options: VendorKeyOptions): Resource {
  const { path, url, family, now = Date.now() } = options;
  const id = `key:${path}`;
  const desired = fingerprint({ url, key: options.fingerprint, week: Math.floor(now / weekMs) });
  return {
    id,
    needs: options.needs ?? [],
    desired,
    async inspect({ ledger }) {
      const text = await readText(path);
      const good = text !== undefined && isPinned(text, options, now);
      if (good && ledger.reached(id) === desired) return undefined;
      return {
        action: text === undefined ? "create" : "update",
        impact: "none",
        diff: `${good ? "fetched again" : "+"} ${options.fingerprint} from ${url}`,
        apply: (context) => fetchKey(context, good ? text : undefined),
      };
    },
  };

  /** @param there the good one that is there already */
  async function fetchKey(context: ApplyContext, there: string | undefined): Promise<void> {
    const { ledger } = context;
    let text: string;
    try {
      text = pinnedKey(await packageManager(family).fetch(url, context), options, now);
    } catch (error) {
      if (there === undefined) throw error;
      context.progress(`the key that is there stays for now: ${toChimeError(error).message}`);
      return;
    }
    if (text === there) return;
    if (ledger.noted(id) === undefined) await ledger.before(id, await remember(path, ledger.backups));
    await makeParents(path);
    // apt reads it as a user of its own.
    await writeAtomically(path, text, { mode: 0o644, uid: 0, gid: 0 });
  }
}

export const vendorKeyKind: Kind = {
  name: "key",
  undo: (id, before) => restore(id.slice("key:".length), before),
};

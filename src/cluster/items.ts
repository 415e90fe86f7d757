import * as v from "valibot";
import type { Items } from "./contacts.ts";
import { signedRecord, type SignedRecord } from "./schema.ts";
import type { SharedState } from "./state.ts";
import type { Member } from "./types.ts";

/**
 * Admissions, tokens and the spec, as one item without a body: what they say counts by who tells it, and that is known
 * over TLS alone. Gossip only says that there are other ones.
 */
export const documentsKey = "documents";

const recordPattern = /^record\.([1-9]\d{0,4})$/;
const versionPattern = /^(\d{1,16})\.(\d{1,16})$/;

export function recordKey(index: number): string {
  return `record.${index}`;
}

export function recordVersion({ incarnation, version }: Pick<Member, "incarnation" | "version">): string {
  return `${incarnation}.${version}`;
}

interface Reactions {
  /** This node's index. */
  self: number;
  /** Takes a record in; whether it was new, and by the member that it speaks of. */
  take: (record: SignedRecord) => boolean;
  fetch: (key: string, from: number) => void;
}

/** What members share, as gossip passes it on: each record in full, since its node signed it, and that the rest changed. */
export function itemsOf(state: SharedState, { self, take, fetch }: Reactions): Items {
  return {
    digest: () => state.digest(),
    has(key, version) {
      if (key === documentsKey) return version === state.summary().documents;
      const index = Number(recordPattern.exec(key)?.[1]);
      const said = versionPattern.exec(version);
      // What a newer version of the program tells of is nothing to this one.
      if (!index || !said) return true;
      const known = state.record(index);
      const newer = Number(said[1]) - (known?.incarnation ?? -1) || Number(said[2]) - (known?.version ?? -1);
      return newer <= 0;
    },
    deliver({ key, body }) {
      const record = v.safeParse(signedRecord, body);
      if (!recordPattern.test(key) || !record.success) return false;
      const isNew = take(record.output);
      // Of its own former life a node takes in only that it must outdo it, and passes its new record on instead.
      return isNew && key !== recordKey(self);
    },
    fetch,
  };
}

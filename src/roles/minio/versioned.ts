import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import type { Limits } from "../http.ts";
import type { RoleContext } from "../types.ts";
import { minioSpec } from "./layout.ts";
import { isSilence } from "./store-error.ts";
import { ownStore } from "./stores.ts";
import { isForming } from "./together.ts";
import { keepForADay, readOlderStates, type OlderStates } from "./versions.ts";

/** `status` looks, too, after it has asked for the account: a store that has just lost a node answers late. */
const lookMs = 1_000;
const timeoutMs = 20_000;

/**
 * The bucket for applications keeps what was written over or deleted for a day, where no operator has said anything else of
 * it: an object that is being written over as a node dies then has its earlier state, and without may have none
 * (docs/minio.md). A store that already serves is changed by an operator's `apply` alone, who is asked: from then on what
 * applications delete takes room until the next day.
 */
export function versionedBucket(context: RoleContext, needs: readonly string[]): Resource {
  const { bucket } = minioSpec(context);
  const id = `s3-versions:${bucket}`;
  const desired = fingerprint({ olderStates: "day" });
  return {
    id,
    needs,
    desired,
    async inspect(looked) {
      const isNew = isForming(context.members);
      // Before the bucket is there, nothing can be asked of it.
      const found = needs.some((need) => looked.pending(need)) ? "none" : await look(context);
      // One that cannot be asked now is left as it is, unless it was never made so.
      const isLeft = found === undefined ? !isNew || looked.ledger.reached(id) === desired : found !== "none";
      if (isLeft) return undefined;
      return {
        action: "update",
        impact: isNew ? "none" : "data",
        diff: `${bucket}: what is written over or deleted is kept for a day, and takes room until then`,
        async apply(run) {
          await run.ledger.before(id, null);
          await keepOlderStates(context, { timeoutMs, signal: run.signal });
        },
      };
    },
  };
}

/** Where nobody has said anything of the bucket, as of a new one. @throws ChimeError `minio.*` */
export async function keepOlderStates(context: RoleContext, limits: Limits): Promise<void> {
  const { bucket } = minioSpec(context);
  const store = ownStore(context);
  if ((await readOlderStates(store, bucket, limits)) === "none") await keepForADay(store, bucket, limits);
}

/** Undefined where the store does not answer now. */
async function look(context: RoleContext): Promise<OlderStates | undefined> {
  try {
    return await readOlderStates(ownStore(context), minioSpec(context).bucket, { timeoutMs: lookMs });
  } catch (error) {
    if (isSilence(error)) return undefined;
    throw error;
  }
}

/** It is in the store, and stays there with its objects. */
export const versionsKind: Kind = {
  name: "s3-versions",
  undo: () => Promise.resolve(),
};

import { systemClock } from "../../core/clock.ts";
import { ChimeError, failed } from "../../core/errors.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import type { RoleContext } from "../types.ts";
import { ensureAccount, hasAccount } from "./account.ts";
import { applicationKeys } from "./keys.ts";
import { minioSpec, nodes, roleName, users } from "./layout.ts";
import { createBucket, hasBucket } from "./s3.ts";
import type { Limits } from "../http.ts";
import { keepOlderStates } from "./versioned.ts";
import { isSilence } from "./store-error.ts";
import { asApplication, ownStore } from "./stores.ts";

/** A write that does not find enough drives is refused at once, or never answered. */
const timeoutMs = 20_000;
/** Together some seconds: a node that made it has told the others by then. */
const attempts = 6;
const againMs = 300;
/** So long do the others leave it to the first node: all get there at once, and the store refuses two that write it together. */
const leftToFirstMs = 5_000;
const isThereEveryMs = 100;
/** To look, which `status` does, too: a store that has just lost a node answers late. */
const lookLimits: Limits = { timeoutMs: 2_000 };

/** The bucket, and an account that may use it and nothing else: once for the whole store, by whichever node is first. */
export function application(context: RoleContext, needs: readonly string[]): Resource {
  const { bucket } = minioSpec(context);
  const id = `s3-account:${users.application}`;
  const desired = fingerprint({ bucket, account: users.application });
  return {
    id,
    needs,
    desired,
    async inspect({ ledger }) {
      const wasMade = ledger.reached(id) === desired;
      const missing = await lacks(context, lookLimits).catch((error: unknown) => {
        if (isSilence(error)) return wasMade ? [] : [theBucket(bucket), theAccount(bucket)];
        throw error;
      });
      if (missing.length === 0) return undefined;
      return {
        action: "create",
        impact: "none",
        diff: missing.map((what) => `+ ${what}`).join("\n"),
        async apply(run) {
          await run.ledger.before(id, null);
          run.progress(`making the bucket ${bucket} and its account`);
          if (!(await isMadeByFirst(context, run.signal)))
            await untilMade(run.signal, () => make(context, { timeoutMs, signal: run.signal }));
        },
      };
    },
  };
}

/**
 * Makes the account known to this node's server where that has forgotten it. Each server keeps the accounts in memory; one
 * that reads them while another one writes them, or before it has found all drives, drops them, and reads them again ten
 * minutes later. Of a user it does not know it would look at once, but not of an account whose owner is the administrator
 * (LoadUser in MinIO's iam-store.go takes the administrator, who is not stored, for a reason to give up).
 * @returns what it had forgotten; a bucket is gone with all that was in it, and is made anew
 * @throws ChimeError `minio.*`
 */
export async function remindOfAccount(context: RoleContext, signal: AbortSignal): Promise<string[]> {
  const limits = { timeoutMs, signal };
  const { bucket } = minioSpec(context);
  const isThere = await hasBucket(asApplication(context), bucket, limits).catch(unlessDenied);
  return isThere ? [] : make(context, limits);
}

/** At the joins: waits until the first node has made it, or does not come. The stores of a mirror have one each. */
async function isMadeByFirst(context: RoleContext, signal: AbortSignal): Promise<boolean> {
  const { self, members } = context;
  const { bucket, topology } = minioSpec(context);
  const isFirst = nodes(members)[0]?.name === self.name;
  // What is changed after that is not the first one's alone to put right.
  if (topology === "mirror" || isFirst || self.phase[roleName] === "ready") return false;
  const giveUp = systemClock.now() + leftToFirstMs;
  while (systemClock.now() < giveUp) {
    const limits = { ...lookLimits, signal };
    if (await hasBucket(asApplication(context), bucket, limits).catch(() => false)) return true;
    await systemClock.sleep(isThereEveryMs, signal);
  }
  return false;
}

/** Another one may be making it at the same time, and while it writes it the store refuses this one. */
async function untilMade(signal: AbortSignal, attempt: () => Promise<unknown>): Promise<void> {
  for (let nth = 1; ; nth++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if (nth === attempts) throw error;
      await systemClock.sleep(againMs * nth, signal);
    }
  }
}

/** @returns what was missing, and is there now */
async function make(context: RoleContext, limits: Limits): Promise<string[]> {
  const missing = await lacks(context, limits);
  if (missing.length === 0) return [];
  const { bucket, topology } = minioSpec(context);
  const store = ownStore(context);
  await createBucket(store, bucket, limits);
  // A new one, in the place of one that was deleted.
  if (topology === "pool" && missing.includes(theBucket(bucket))) await keepOlderStates(context, limits);
  await ensureAccount(store, asApplication(context).credentials, bucket, limits);
  const still = await lacks(context, limits);
  if (still.length > 0) {
    throw failed("minio.no_account", `the store does not keep ${still.join(" and ")}`, {
      remedy: "chime-node apply --role minio",
    });
  }
  return missing;
}

const theBucket = (bucket: string): string => `the bucket ${bucket}`;
const theAccount = (bucket: string): string => `the account ${users.application}, which may use ${bucket}`;

/** The cheaper question first: what the store says of an account is encrypted, which takes each side 0.1 s of a core. */
async function lacks(context: RoleContext, limits: Limits): Promise<string[]> {
  const { bucket } = minioSpec(context);
  const store = ownStore(context);
  // Whether its secret key is the one that we tell: the store itself says of no key what it is.
  const opened = await hasBucket(asApplication(context), bucket, limits).catch(unlessDenied);
  const isThere = opened ?? (await hasBucket(store, bucket, limits));
  const { accessKey } = applicationKeys(context).current;
  const isRight = opened !== undefined && (await hasAccount(store, accessKey, bucket, limits));
  return [...(isThere ? [] : [theBucket(bucket)]), ...(isRight ? [] : [theAccount(bucket)])];
}

/** Whom the store does not know, or takes for somebody else, it lets see nothing. */
function unlessDenied(error: unknown): undefined {
  if (error instanceof ChimeError && error.code === "minio.denied") return undefined;
  throw error;
}

/** It is in the store, and stays there with its objects. */
export const applicationKind: Kind = {
  name: "s3-account",
  undo: () => Promise.resolve(),
};

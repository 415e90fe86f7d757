import { systemClock } from "../../core/clock.ts";
import { ChimeError } from "../../core/errors.ts";
import { fingerprint } from "../../resources/fingerprint.ts";
import type { Kind, Resource } from "../../resources/types.ts";
import type { RoleContext } from "../types.ts";
import { ensureAccount, hasAccount } from "./account.ts";
import { minioSpec, roleName, users } from "./layout.ts";
import { createBucket, hasBucket } from "./s3.ts";
import type { Limits, Store } from "./store.ts";
import { ownStore } from "./stores.ts";

/** A write that does not find enough drives is refused at once, or never answered. */
const limits: Limits = { timeoutMs: 20_000 };
/** Together some seconds: a node that made it has told the others by then. */
const attempts = 6;
const againMs = 300;
/** To look, which `status` does, too: a store that has just lost a node answers late. */
const lookLimits: Limits = { timeoutMs: 2_000 };
/** It cannot be asked now, and what is in it stays as it is. */
const silent = new Set(["minio.unreachable", "minio.timeout", "minio.starting", "minio.no_quorum"]);

/** The bucket, and an account that may use it and nothing else: once for the whole store, by whichever node is first. */
export function application(context: RoleContext, needs: readonly string[]): Resource {
  const { bucket } = minioSpec(context);
  const id = `s3-account:${users.application}`;
  const desired = fingerprint({ bucket, account: users.application });
  const wanted = [`the bucket ${bucket}`, `the account ${users.application}`];
  const store = ownStore(context);
  const credentials = {
    accessKey: users.application,
    secretKey: context.secrets[roleName]?.["secret_key"] ?? "",
  };
  return {
    id,
    needs,
    desired,
    async inspect({ ledger }) {
      const wasMade = ledger.reached(id) === desired;
      const missing = await lacks(store, bucket, credentials, lookLimits).catch((error: unknown) => {
        if (error instanceof ChimeError && silent.has(error.code)) return wasMade ? [] : wanted;
        throw error;
      });
      if (missing.length === 0) return undefined;
      return {
        action: "create",
        impact: "none",
        diff: missing.map((what) => `+ ${what}`).join("\n"),
        async apply(context) {
          await context.ledger.before(id, null);
          context.progress(`making the bucket ${bucket} and its account`);
          await untilMade(context.signal, async () => {
            if ((await lacks(store, bucket, credentials, limits)).length === 0) return;
            await createBucket(store, bucket, limits);
            await ensureAccount(store, credentials, bucket, limits);
          });
        },
      };
    },
  };
}

/** All nodes get there at the same time, and while one of them writes it the store refuses the others. */
async function untilMade(signal: AbortSignal, make: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await make();
    } catch (error) {
      if (attempt === attempts) throw error;
      await systemClock.sleep(againMs * attempt, signal);
    }
  }
}

async function lacks(
  store: Store,
  bucket: string,
  account: Store["credentials"],
  limits: Limits,
): Promise<string[]> {
  if (!(await hasBucket(store, bucket, limits)))
    return [`the bucket ${bucket}`, `the account ${account.accessKey}`];
  const isRight =
    (await hasAccount(store, account.accessKey, bucket, limits)) &&
    (await opens(store, bucket, account, limits));
  return isRight ? [] : [`the account ${account.accessKey}, which may use ${bucket}`];
}

/** Whether its secret key is the one that we tell: the store itself says of no key what it is. */
async function opens(
  store: Store,
  bucket: string,
  credentials: Store["credentials"],
  limits: Limits,
): Promise<boolean> {
  try {
    return await hasBucket({ ...store, credentials }, bucket, limits);
  } catch (error) {
    if (error instanceof ChimeError && error.code === "minio.denied") return false;
    throw error;
  }
}

/** It is in the store, and stays there with its objects. */
export const applicationKind: Kind = {
  name: "s3-account",
  undo: () => Promise.resolve(),
};

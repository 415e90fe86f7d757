import { createHash } from "node:crypto";
import { removeAccount } from "../../src/roles/minio/account.ts";
import { deleteObject, getObject, putObject } from "../../src/roles/minio/s3.ts";
import type { Store } from "../../src/roles/minio/store.ts";

/** One request of an application, on the lab's client machine. */
export interface StoreJob {
  store: Store;
  /** `forget`: no application's, but the administrator's, of the account with that name. */
  verb: "put" | "get" | "delete" | "forget";
  key: string;
  /** What `put` sends is made of it. */
  seed: string;
  /** Tried again until then, ms: as applications do. 0: once. */
  patienceMs: number;
}

export interface StoreOutcome {
  /** From the first attempt to the last answer, ms. */
  ms: number;
  attempts: number;
  error: string | null;
  /** Of what `get` brought. */
  sha256: string | null;
}

const attemptMs = 5_000;

/** A quarter of a MiB, so that each drive gets a part of its own. */
export function bodyOf(seed: string): Buffer {
  return Buffer.alloc(2 ** 18, `${seed} `);
}

export const sha256 = (body: Uint8Array): string => createHash("sha256").update(body).digest("hex");

async function once({ store, verb, key, seed }: StoreJob): Promise<string | null> {
  const limits = { timeoutMs: attemptMs };
  if (verb === "get") return sha256(await getObject(store, "chime", key, limits));
  if (verb === "put") await putObject(store, "chime", key, bodyOf(seed), limits);
  else if (verb === "delete") await deleteObject(store, "chime", key, limits);
  else await removeAccount(store, key, limits);
  return null;
}

async function run(job: StoreJob): Promise<StoreOutcome> {
  const start = performance.now();
  for (let attempts = 1; ; attempts++) {
    const outcome = await once(job).then(
      (hash) => ({ error: null, sha256: hash }),
      (error: Error) => ({ error: error.message, sha256: null }),
    );
    const ms = Math.round(performance.now() - start);
    if (outcome.error === null || ms >= job.patienceMs) return { ms, attempts, ...outcome };
    await Bun.sleep(50);
  }
}

if (import.meta.main) console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? ""))));

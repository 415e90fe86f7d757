import { createHash } from "node:crypto";
import { removeAccount } from "../../src/roles/minio/account.ts";
import { expireOlderStates } from "../../src/roles/minio/expire.ts";
import type { Limits } from "../../src/roles/http.ts";
import { createBucket, deleteObject, getObject, listVersions, putObject } from "../../src/roles/minio/s3.ts";
import { askWell, type Store } from "../../src/roles/minio/store.ts";

/** One request of an application, on the lab's client machine. */
export interface StoreJob {
  store: Store;
  /**
   * No application's, but the administrator's: `forget` the account with that name, `expire` older states of all objects,
   * however young, `remake` the bucket, with nothing in it and nothing said of it.
   */
  verb: "put" | "get" | "delete" | "forget" | "expire" | "remake";
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
  else if (verb === "forget") await removeAccount(store, key, limits);
  else if (verb === "remake") await remake(store, limits);
  else await expireOlderStates(store, "chime", { ageMs: 0, now: Date.now(), goesOn: () => true }, limits);
  return null;
}

async function remake(store: Store, limits: Limits): Promise<void> {
  for await (const { key, id } of listVersions(store, "chime", limits)) {
    await deleteObject(store, "chime", key, { ...limits, version: id });
  }
  await askWell(store, { method: "DELETE", path: "/chime" }, limits);
  await createBucket(store, "chime", limits);
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

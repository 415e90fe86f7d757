import { randomBytes } from "node:crypto";
import { failed } from "../../core/errors.ts";
import { deleteObject, getObject, putObject } from "./s3.ts";
import type { Limits } from "../http.ts";
import { whereOf, type Store } from "./store.ts";

/** Below this name nobody else's objects are. */
const folder = ".chime-node/probe";

/**
 * Whether the store stores: a PUT, a GET that gives the same back, and a DELETE went through within one time limit. Its
 * health pages say 200 where none of that does.
 * @param who begins the object's name, so that two nodes that look at once have one each, and one that is killed leaves one
 * @returns how long it took, ms
 * @throws ChimeError `minio.*`
 */
export async function probe(store: Store, bucket: string, who: string, limits: Limits): Promise<number> {
  const start = performance.now();
  const left = () => ({ ...limits, timeoutMs: Math.max(1, limits.timeoutMs - (performance.now() - start)) });
  const [key, body] = [`${folder}/${who}`, randomBytes(32)];
  await putObject(store, bucket, key, body, left());
  if (!body.equals(await getObject(store, bucket, key, left()))) {
    throw failed("minio.corrupt", `${whereOf(store)} gives back something else than it was given`);
  }
  await deleteObject(store, bucket, key, left());
  return performance.now() - start;
}

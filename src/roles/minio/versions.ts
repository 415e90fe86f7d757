import { createHash } from "node:crypto";
import { ChimeError } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { encodePath } from "./signature.ts";
import { askWell, textOf, type Store } from "./store.ts";
import { xmlText } from "./store-error.ts";

/**
 * What becomes of an object's older states in a bucket. `day`: they are kept for a day, as `keepForADay` has it. `own`: as an
 * operator has said, in the bucket's versioning or its lifecycle rules. `none`: nobody said anything, and they are gone at once.
 */
export const olderStates = ["day", "own", "none"] as const;
export type OlderStates = (typeof olderStates)[number];

/**
 * By this rule we know a bucket as ours, and people are told. It is disabled, for the engine's own end of older states goes by
 * what one drive has: of an object that a few drives have in a state which no one acknowledged, it deletes the older one on all
 * drives, which is the only one that can be read [tried]. `expireOlderStates` does it instead.
 */
const rule = `<LifecycleConfiguration><Rule><ID>chime-node ends older states after a day</ID><Status>Disabled</Status><Filter></Filter><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>`;
const versioned = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/** @throws ChimeError `minio.*` */
export async function readOlderStates(store: Store, bucket: string, limits: Limits): Promise<OlderStates> {
  const path = encodePath(bucket);
  const [versioning, lifecycle] = await Promise.all([
    askWell(store, { method: "GET", path, query: { versioning: "" } }, limits).then(textOf),
    askWell(store, { method: "GET", path, query: { lifecycle: "" } }, limits).then(textOf, unlessNone),
  ]);
  return judged(xmlText(versioning, "Status"), lifecycle);
}

/**
 * Pure. A bucket is changed only where nobody has ever said anything of it but this program: what somebody else has given
 * versions is theirs to end, and versions in one with rules of theirs would keep what these delete.
 * @param status of the versioning: none until somebody has said one
 * @param lifecycle the bucket's rules, as the store tells them
 */
export function judged(status: string | undefined, lifecycle: string | undefined): OlderStates {
  const isOurs = lifecycle !== undefined && leaves(lifecycle) === leaves(rule);
  if (status === undefined) return lifecycle === undefined || isOurs ? "none" : "own";
  return status === "Enabled" && isOurs ? "day" : "own";
}

/**
 * From now on an object that is written over or deleted leaves its older state, in a bucket of which `readOlderStates` says
 * `none`. The rule first: versions without it would be taken for an operator's, and kept for ever.
 * @throws ChimeError `minio.*`
 */
export async function keepForADay(store: Store, bucket: string, limits: Limits): Promise<void> {
  const path = encodePath(bucket);
  const put = async (what: "lifecycle" | "versioning", body: string) => {
    const headers = contentMd5(body);
    await askWell(store, { method: "PUT", path, query: { [what]: "" }, headers, body }, limits);
  };
  await put("lifecycle", rule);
  await put("versioning", versioned);
}

/** Without it the store takes neither rules nor lists of what to delete. */
export function contentMd5(body: string): Record<string, string> {
  return { "content-md5": createHash("md5").update(body).digest("base64") };
}

/** All that the elements without elements in them say, in whatever order. */
function leaves(xml: string): string {
  const found = xml.matchAll(/<(\w+)[^<>/]*>([^<]*)<\/\1>/g);
  return Array.from(found, ([, name, text]) => `${name}=${text}`)
    .toSorted()
    .join();
}

function unlessNone(error: unknown): undefined {
  if (error instanceof ChimeError && error.code === "minio.no_rules") return undefined;
  throw error;
}

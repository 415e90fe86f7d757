import { failed } from "../../core/errors.ts";
import type { Limits } from "../http.ts";
import { deleteObject, listVersions, type Version } from "./s3.ts";
import { encodePath } from "./signature.ts";
import { askWell, textOf, whereOf, type Store } from "./store.ts";
import { refusalOf } from "./store-error.ts";
import { contentMd5 } from "./versions.ts";

/** Of that name, and of that moment, it is to be deleted. */
type Due = Pick<Version, "key" | "id">;

/**
 * Of one object so many older states are kept, and what is beyond them not for longer than `youngMs`: each makes the next
 * overwrite slower (1.4 ms without, 10 ms with a thousand [tried]).
 */
const kept = 10;
const youngMs = 60_000;

/** As many as the store takes in one request. */
const most = 1_000;

/**
 * Deletes, for good, what has not been the latest state of its object for longer than `ageMs`, deletions that are older, and
 * what an object has more of than it may.
 * The store lists what enough drives agree on: a state that a few of them have, and nobody acknowledged, makes no other one
 * older. `limits` hold for each request.
 * @param options.now ms on the clock of the store's nodes
 * @param options.goesOn asked before each deletion; where it says no, the rest is left for the next time
 * @returns how many were deleted
 * @throws ChimeError `minio.*`
 */
export async function expireOlderStates(
  store: Store,
  bucket: string,
  { ageMs, now, goesOn }: { ageMs: number; now: number; goesOn: () => boolean },
  limits: Limits,
): Promise<number> {
  let [count, own]: [number, Version[]] = [0, []];
  let due: Due[] = [];
  const end = async () => {
    if (due.length === 0 || !goesOn()) return;
    await deleteAll(store, bucket, due, limits);
    [count, due] = [count + due.length, []];
  };
  for await (const version of inOrder(listVersions(store, bucket, limits))) {
    if (own[0]?.key !== version.key) {
      due.push(...dueOf(own, now, ageMs));
      own = [];
    }
    own.push(version);
    if (due.length >= most) await end();
    if (!goesOn()) return count;
  }
  due.push(...dueOf(own, now, ageMs));
  await end();
  return count;
}

/**
 * A list in which an object came twice could show a deletion without what it hides, and ending that alone would bring the
 * object back. @throws ChimeError `minio.unordered`
 */
export async function* inOrder<T extends Pick<Version, "key">>(
  versions: AsyncIterable<T>,
): AsyncGenerator<T> {
  let last: Buffer | undefined;
  for await (const version of versions) {
    const name = Buffer.from(version.key);
    if (last && Buffer.compare(name, last) < 0)
      throw failed("minio.unordered", "the store does not list its objects in the order of their names", {
        remedy: "report this; no older state is deleted by it",
      });
    last = name;
    yield version;
  }
}

/**
 * Pure. The oldest come first: whatever is interrupted, no older state is seen again for want of a newer one.
 * @param versions all of one object, the latest first; nothing is due where the store does not say so
 * @param now ms: what was followed by another state `ageMs` before that
 */
export function dueOf(versions: readonly Version[], now: number, ageMs: number): Due[] {
  const before = now - ageMs;
  const due = versions.filter((_, i) => {
    const until = versions[i - 1]?.at ?? Number.POSITIVE_INFINITY;
    return until < before || (i > kept && until < now - youngMs);
  });
  const [latest] = versions;
  if (versions.some(({ isLatest }, i) => isLatest !== (i === 0))) return [];
  const isLast = due.length === versions.length - 1;
  const gone = isLast && latest?.isDeletion && latest.at < before ? [latest] : [];
  return [...gone, ...due].toReversed();
}

async function deleteAll(store: Store, bucket: string, due: readonly Due[], limits: Limits): Promise<void> {
  for (let from = 0; from < due.length; from += most) {
    const some = due.slice(from, from + most);
    const listed = some.filter(({ key }) => isText(key));
    for (const { key, id } of some.filter(({ key }) => !isText(key))) {
      await deleteObject(store, bucket, key, { ...limits, version: id });
    }
    if (listed.length > 0) await deleteListed(store, bucket, listed, limits);
  }
}

async function deleteListed(
  store: Store,
  bucket: string,
  due: readonly Due[],
  limits: Limits,
): Promise<void> {
  const objects = due.map(
    ({ key, id }) => `<Object><Key>${escaped(key)}</Key><VersionId>${id}</VersionId></Object>`,
  );
  const body = `<Delete><Quiet>true</Quiet>${objects.join("")}</Delete>`;
  const asked = { method: "POST", path: encodePath(bucket), query: { delete: "" } } as const;
  const answer = await askWell(store, { ...asked, headers: contentMd5(body), body }, limits);
  const refusal = textOf(answer).includes("<Error>") ? refusalOf(answer.body) : undefined;
  if (refusal) {
    throw failed("minio.refused", `${whereOf(store)} does not delete older states: ${refusal.message}`, {
      remedy: "chime-node status",
    });
  }
}

/** Whether XML can say it. */
function isText(key: string): boolean {
  return key.isWellFormed() && !/[\p{Cc}\uFFFE\uFFFF]/u.test(key);
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

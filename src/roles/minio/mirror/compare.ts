import { systemClock } from "../../../core/clock.ts";
import { listBuckets, listVersions } from "../s3.ts";
import type { Limits } from "../../http.ts";
import type { Store } from "../store.ts";

/** More of them are counted alone, and not looked at again one by one: the next round will find fewer. */
const mostAgain = 20;
/** What is written meanwhile is on one of them first: that long, in all, may it take to be on the other. */
const againMs = 250;
const timesAgain = 8;

/** What applications see of one object: its last state. */
interface Found {
  bucket: string;
  key: string;
  /** Empty where there is none: it was deleted. */
  version: string;
}

/**
 * Whether two stores hold the same, but for what is being copied at this moment: the last state of each object. Of older
 * states each may keep what it likes (a rule of the bucket may end them, here sooner than there). Looking at it has a store
 * send what it could not send before (a store by itself comes to that with its scanner, a minute later), so whoever wants
 * them to be level asks until they are.
 * @returns how many objects differ, at least
 * @throws ChimeError `minio.*`
 */
export async function differing(one: Store, other: Store, limits: Limits): Promise<number> {
  const buckets = await Promise.all([one, other].map((store) => listBuckets(store, limits)));
  const all = [...new Set(buckets.flat())];
  if (buckets.some((names) => names.length < all.length)) return 1;
  let count = 0;
  let open: Found[] = [];
  for (const bucket of all) {
    for await (const found of differingIn(bucket, one, other, limits))
      if (++count <= mostAgain) open.push(found);
  }
  if (count > mostAgain) return count;
  for (let nth = 0; open.length > 0 && nth < timesAgain; nth++) {
    await systemClock.sleep(againMs, limits.signal);
    const equal = await Promise.all(open.map((found) => isEqual(found, one, other, limits)));
    open = open.filter((_, i) => !equal[i]);
  }
  return open.length;
}

async function* differingIn(bucket: string, one: Store, other: Store, limits: Limits): AsyncGenerator<Found> {
  const [ofOne, ofOther] = [objects(one, bucket, "", limits), objects(other, bucket, "", limits)];
  let [a, b] = await Promise.all([next(ofOne), next(ofOther)]);
  while (a || b) {
    const order = !a ? 1 : !b ? -1 : Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));
    const ahead = order <= 0 ? a : b;
    const [left, right] = [order <= 0 ? a?.version : "", order >= 0 ? b?.version : ""];
    if (ahead && left !== right) yield ahead;
    [a, b] = await Promise.all([order <= 0 ? next(ofOne) : a, order >= 0 ? next(ofOther) : b]);
  }
}

async function isEqual({ bucket, key }: Found, one: Store, other: Store, limits: Limits): Promise<boolean> {
  const [a, b] = await Promise.all([one, other].map((store) => next(objects(store, bucket, key, limits))));
  return (a?.key === key ? a.version : "") === (b?.key === key ? b.version : "");
}

async function next(all: AsyncGenerator<Found>): Promise<Found | undefined> {
  const { value } = (await all.next()) as IteratorResult<Found, undefined>;
  return value;
}

/** By key, in the order of its bytes, as a store lists them. */
async function* objects(
  store: Store,
  bucket: string,
  prefix: string,
  limits: Limits,
): AsyncGenerator<Found, undefined> {
  let last: string | undefined;
  for await (const { key, id, isDeletion } of listVersions(store, bucket, { ...limits, prefix })) {
    // The states of one object come together, the last one first.
    if (key !== last) yield { bucket, key, version: isDeletion ? "" : id };
    last = key;
  }
  return undefined;
}

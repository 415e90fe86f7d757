import { failed } from "../../core/errors.ts";
import { encodePath } from "./signature.ts";
import type { Limits } from "../http.ts";
import { ask, askWell, textOf, whereOf, type Store } from "./store.ts";
import { refusalOf, storeError, xmlText, xmlTexts } from "./store-error.ts";

/** @throws ChimeError `minio.*`, as everything here */
export async function putObject(
  store: Store,
  bucket: string,
  key: string,
  body: Uint8Array,
  limits: Limits,
): Promise<void> {
  await askWell(store, { method: "PUT", path: encodePath(bucket, key), body }, limits);
}

/** A store with a mirror asks that for what it does not hold; this has it answer for itself. */
interface Own {
  own?: boolean;
}

function ownHeader({ own = false }: Own): Record<string, string> {
  return own ? { "x-minio-source-proxy-request": "false" } : {};
}

/** @param limits.maxBytes a longer object is an error; default 4 MiB. @throws ChimeError `minio.no_object` */
export async function getObject(
  store: Store,
  bucket: string,
  key: string,
  limits: Limits & Own & { maxBytes?: number },
): Promise<Uint8Array> {
  const { maxBytes } = limits;
  const asked = {
    method: "GET",
    path: encodePath(bucket, key),
    headers: ownHeader(limits),
    ...(maxBytes && { maxBytes }),
  } as const;
  return (await askWell(store, asked, limits)).body;
}

/** @returns undefined where there is none */
export async function headObject(
  store: Store,
  bucket: string,
  key: string,
  limits: Limits & Own,
): Promise<{ bytes: number; etag: string } | undefined> {
  const asked = { method: "HEAD", path: encodePath(bucket, key), headers: ownHeader(limits) } as const;
  const answer = await ask(store, asked, limits);
  if (answer.status === 404) return undefined;
  if (answer.status !== 200) throw storeError(whereOf(store), asked, answer);
  return { bytes: Number(answer.headers.get("content-length")), etag: etagOf(answer.headers.get("etag")) };
}

/** Nothing happens where there is none. @param limits.version of all that a bucket keeps, this one goes for good */
export async function deleteObject(
  store: Store,
  bucket: string,
  key: string,
  limits: Limits & { version?: string },
): Promise<void> {
  const query: Record<string, string> = limits.version ? { versionId: limits.version } : {};
  await askWell(store, { method: "DELETE", path: encodePath(bucket, key), query }, limits);
}

/** Nothing happens where it is there and ours. */
export async function createBucket(store: Store, bucket: string, limits: Limits): Promise<void> {
  const asked = { method: "PUT", path: encodePath(bucket) } as const;
  const answer = await ask(store, asked, limits);
  if (answer.status === 200 || refusalOf(answer.body)?.code === "BucketAlreadyOwnedByYou") return;
  throw storeError(whereOf(store), asked, answer);
}

export async function hasBucket(store: Store, bucket: string, limits: Limits): Promise<boolean> {
  const asked = { method: "HEAD", path: encodePath(bucket) } as const;
  const answer = await ask(store, asked, limits);
  if (answer.status !== 200 && answer.status !== 404) throw storeError(whereOf(store), asked, answer);
  return answer.status === 200;
}

export async function listBuckets(store: Store, limits: Limits): Promise<string[]> {
  return xmlTexts(textOf(await askWell(store, { method: "GET", path: "/" }, limits)), "Name");
}

/** Keys that begin with `prefix`, sorted, a thousand at a time. `limits` hold for each thousand. */
export async function* listObjects(
  store: Store,
  bucket: string,
  prefix: string,
  limits: Limits,
): AsyncGenerator<string> {
  let from: string | undefined;
  do {
    const query: Record<string, string> = { "list-type": "2", "encoding-type": "url", prefix };
    if (from !== undefined) query["continuation-token"] = from;
    const xml = textOf(await askWell(store, { method: "GET", path: encodePath(bucket), query }, limits));
    for (const key of xmlTexts(xml, "Key")) yield keyOf(key);
    from = xmlText(xml, "NextContinuationToken");
  } while (from !== undefined);
}

/** One state of an object that the store keeps. */
export interface Version {
  key: string;
  id: string;
  /** The object was deleted with it. */
  isDeletion: boolean;
  /** It is what a GET gives. */
  isLatest: boolean;
  /** When it was stored, ms on the clock of the store's nodes. */
  at: number;
}

/** All versions of all objects below `prefix`, the latest of each first; a bucket without versioning has one of each. */
export async function* listVersions(
  store: Store,
  bucket: string,
  limits: Limits & { prefix?: string },
): AsyncGenerator<Version> {
  let from: Record<string, string> | undefined = {};
  while (from) {
    const query = { versions: "", "encoding-type": "url", prefix: limits.prefix ?? "", ...from };
    const xml = textOf(await askWell(store, { method: "GET", path: encodePath(bucket), query }, limits));
    for (const [, kind, inner = ""] of xml.matchAll(/<(Version|DeleteMarker)>(.*?)<\/\1>/gs)) {
      const key = keyOf(xmlText(inner, "Key") ?? "");
      yield {
        key,
        id: xmlText(inner, "VersionId") ?? "",
        isDeletion: kind === "DeleteMarker",
        isLatest: xmlText(inner, "IsLatest") === "true",
        at: Date.parse(xmlText(inner, "LastModified") ?? ""),
      };
    }
    const key = xmlText(xml, "NextKeyMarker");
    const id = xmlText(xml, "NextVersionIdMarker");
    from = key ? { "key-marker": keyOf(key), ...(id && { "version-id-marker": id }) } : undefined;
  }
}

/** As it stands in a list. @throws ChimeError `minio.answer` */
export function keyOf(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch (cause) {
    throw failed("minio.answer", "the store lists an object by a name that cannot be read", {
      remedy: "use an engine that docs/systems.md names",
      cause,
    });
  }
}

/**
 * One object from parts, which are 5 MiB or more each but for the last. There is nothing of it before its end, and what
 * arrived of one that failed is dropped. `limits` hold for each request.
 */
export async function putInParts(
  store: Store,
  bucket: string,
  key: string,
  parts: Iterable<Uint8Array>,
  limits: Limits,
): Promise<void> {
  const path = encodePath(bucket, key);
  const created = await askWell(store, { method: "POST", path, query: { uploads: "" } }, limits);
  const uploadId = xmlText(textOf(created), "UploadId");
  if (uploadId === undefined)
    throw failed("minio.answer", `${whereOf(store)} begins an upload without an id`);
  try {
    const etags: string[] = [];
    for (const body of parts) {
      const query = { uploadId, partNumber: String(etags.length + 1) };
      const { headers } = await askWell(store, { method: "PUT", path, query, body }, limits);
      etags.push(etagOf(headers.get("etag")));
    }
    await complete(store, path, uploadId, etags, limits);
  } catch (error) {
    // Else its parts take room until the store forgets them, which takes it a day.
    await ask(store, { method: "DELETE", path, query: { uploadId } }, limits).catch(() => undefined);
    throw error;
  }
}

async function complete(
  store: Store,
  path: string,
  uploadId: string,
  etags: readonly string[],
  limits: Limits,
): Promise<void> {
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  const body = `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`;
  const asked = { method: "POST", path, query: { uploadId }, body } as const;
  const answer = await askWell(store, asked, limits);
  // The head of this answer may be sent before the work is done: what came of it is in the body alone.
  if (xmlText(textOf(answer), "ETag") === undefined) {
    throw storeError(whereOf(store), asked, answer);
  }
}

function etagOf(header: string | null): string {
  return (header ?? "").replace(/[^\da-z-]/gi, "");
}

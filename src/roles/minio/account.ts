import * as v from "valibot";
import { ChimeError } from "../../core/errors.ts";
import { askAdmin, unsealed } from "./admin.ts";
import { seal } from "./sealed.ts";
import type { Credentials } from "./signature.ts";
import type { Limits } from "../http.ts";
import type { Store } from "./store.ts";

const accountSchema = v.object({
  parentUser: v.string(),
  accountStatus: v.picklist(["on", "off", "enabled", "disabled"]),
  /** It may do all that its parent may. */
  impliedPolicy: v.boolean(),
  /** JSON. */
  policy: v.string(),
});
type Account = v.InferOutput<typeof accountSchema>;

/** All that an application does with its objects, in one bucket and nowhere else. */
function policyFor(bucket: string) {
  const arn = `arn:aws:s3:::${bucket}`;
  const onBucket = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"];
  const onObjects = [
    "s3:AbortMultipartUpload",
    "s3:DeleteObject",
    "s3:GetObject",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
  ];
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: onBucket, Resource: [arn] },
      { Effect: "Allow", Action: onObjects, Resource: [`${arn}/*`] },
    ],
  };
}

/** @returns undefined where there is none of that name */
async function accountOf(store: Store, accessKey: string, limits: Limits): Promise<Account | undefined> {
  const call = "info-service-account";
  try {
    const { body } = await askAdmin(store, call, { method: "GET", query: { accessKey } }, limits);
    return await unsealed(store, call, accountSchema, body);
  } catch (error) {
    if (error instanceof ChimeError && error.code === "minio.no_account") return undefined;
    throw error;
  }
}

/**
 * Whether `account` is there and may do what it should in `bucket`, and nothing else. Its secret key is not told by the
 * store: ask it for something as `account` to know.
 */
export async function hasAccount(
  store: Store,
  accessKey: string,
  bucket: string,
  limits: Limits,
): Promise<boolean> {
  const found = await accountOf(store, accessKey, limits);
  return found !== undefined && isRight(found, bucket);
}

function isRight({ impliedPolicy, accountStatus, policy }: Account, bucket: string): boolean {
  const isOn = accountStatus === "on" || accountStatus === "enabled";
  return isOn && !impliedPolicy && canonical(JSON.parse(policy)) === canonical(policyFor(bucket));
}

/** The store gives lists back in another order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    Array.isArray(inner) ? inner.map((item) => canonical(item)).sort() : inner,
  );
}

/**
 * Makes `account`, a service account of the user who asks, with this secret key and for `bucket` alone, or puts it right.
 * Site replication does not carry it over where that user is root: a mirror wants it on each of its stores.
 */
export async function ensureAccount(
  store: Store,
  account: Credentials,
  bucket: string,
  limits: Limits,
): Promise<void> {
  const { accessKey, secretKey } = account;
  const policy = policyFor(bucket);
  const isThere = (await accountOf(store, accessKey, limits)) !== undefined;
  const call = isThere ? "update-service-account" : "add-service-account";
  const wanted = isThere
    ? { newPolicy: policy, newSecretKey: secretKey, newStatus: "on" }
    : { policy, accessKey, secretKey };
  const body = await seal(store.credentials.secretKey, JSON.stringify(wanted));
  const asked = isThere
    ? { method: "POST" as const, query: { accessKey }, body }
    : { method: "PUT" as const, body };
  await askAdmin(store, call, asked, limits);
}

/** Nothing happens where there is none. */
export async function removeAccount(store: Store, accessKey: string, limits: Limits): Promise<void> {
  try {
    await askAdmin(store, "delete-service-account", { method: "DELETE", query: { accessKey } }, limits);
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "minio.no_account")) throw error;
  }
}

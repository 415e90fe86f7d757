import type { RoleContext } from "../../types.ts";
import { minioSpec } from "../layout.ts";
import { probe } from "../probe.ts";
import { createBucket } from "../s3.ts";
import type { Limits } from "../../http.ts";
import { ownStore } from "../stores.ts";

/** That objects go in and out through this node's server, health pages do not say. @throws ChimeError `minio.*` */
export async function prove(context: RoleContext, limits: Limits): Promise<void> {
  const { bucket } = minioSpec(context);
  const store = ownStore(context);
  await createBucket(store, bucket, limits);
  await probe(store, bucket, context.self.name, limits);
}

import { influxdb } from "./influxdb/index.ts";
import { influxdbKind } from "./influxdb/bucket-resource.ts";
import { minio } from "./minio/index.ts";
import { mysql } from "./mysql/index.ts";
import { applicationKind } from "./minio/application.ts";
import { versionsKind } from "./minio/versioned.ts";
import type { Kind } from "../resources/types.ts";
import { databaseKind } from "./mysql/first-data.ts";
import { markerKind } from "./marker.ts";
import { sqlKind } from "./mysql/accounts.ts";
import type { Role } from "./types.ts";
import { witness } from "./witness/index.ts";

/** Every role there is; a new one is a directory and a line here. */
export const roles: readonly Role[] = [mysql, minio, influxdb, witness];

/** The kinds of resource that roles bring along, for reset. */
export const roleKinds: readonly Kind[] = [
  applicationKind,
  databaseKind,
  influxdbKind,
  markerKind,
  sqlKind,
  versionsKind,
];

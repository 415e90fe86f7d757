import { mysql } from "./mysql/index.ts";
import type { Kind } from "../resources/types.ts";
import { databaseKind } from "./mysql/first-data.ts";
import { markerKind } from "./mysql/marker.ts";
import { sqlKind } from "./mysql/accounts.ts";
import type { Role } from "./types.ts";
import { witness } from "./witness/index.ts";

/** Every role there is; a new one is a directory and a line here. */
export const roles: readonly Role[] = [mysql, witness];

/** The kinds of resource that roles bring along, for reset. */
export const roleKinds: readonly Kind[] = [databaseKind, markerKind, sqlKind];

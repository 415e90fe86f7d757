import type { RoleName } from "../cluster/types.ts";
import { usageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { roles } from "../roles/index.ts";
import type { Spec } from "../spec/types.ts";

/** Of words that somebody typed, before anything is done for them. @throws ChimeError `usage.unknown_role` */
export function requireRoleNames(words: readonly RoleName[]): void {
  const known = roles.map((role) => role.name);
  const unknown = words.find((word) => !known.includes(word));
  if (unknown === undefined) return;
  const meant = nearest(unknown, known);
  throw usageError(
    "usage.unknown_role",
    `there is no role ${unknown}; the roles are ${known.join(", ")}`,
    meant === undefined ? "--role with one of them" : `did you mean --role ${meant}?`,
  );
}

/** The first of these roles that serves and is given no VIP to serve at. */
export function unconfiguredRole(names: readonly RoleName[], spec: Spec): RoleName | undefined {
  return roles.find((role) => names.includes(role.name) && role.limit(spec).max === 0)?.name;
}

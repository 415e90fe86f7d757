import { failed, refused, toChimeError } from "../core/errors.ts";
import { openLedger } from "../plan/ledger.ts";
import { plan } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { Role, RoleContext } from "../roles/types.ts";
import type { Spec } from "../spec/types.ts";

/**
 * Has services go by the cluster's CAs. What else fails here, be it another role's or a lock that an operator's command holds, is
 * told of by itself and holds up no rotation.
 * @param configure does what may be done unasked
 * @param check whether the certificates are as the CAs have it
 * @throws ChimeError of `check`, with what hindered it
 */
export async function followAuthority(
  configure: () => Promise<void>,
  check: () => Promise<void>,
): Promise<void> {
  const hindrance = await configure().then(
    () => undefined,
    (error: unknown) => toChimeError(error),
  );
  try {
    await check();
  } catch (error) {
    const { code, message, remedy } = toChimeError(error);
    if (!hindrance) throw error;
    throw failed(code, `${message}: ${hindrance.message}`, {
      remedy: hindrance.remedy ?? remedy,
      cause: hindrance,
    });
  }
}

/** @throws ChimeError `ca.services` where a certificate is not yet as the cluster's CAs have it, or its service did not take it */
export async function requireCertificates(resources: readonly Resource[]): Promise<void> {
  const certificates = resources
    .filter(({ id }) => id.startsWith("certificate:"))
    .map((resource): Resource => ({ ...resource, needs: [] }));
  const late = await plan(certificates, await openLedger());
  if (late.length === 0) return;
  const names = late.map(({ resource }) => resource).join(", ");
  throw failed("ca.services", `${names} is not as the cluster's CA has it`, {
    remedy: "chime-node plan, then chime-node apply",
  });
}

/** @throws ChimeError `ca.services` where a server still shows the certificate before */
export async function requireShown(context: RoleContext, roles: readonly Role[]): Promise<void> {
  for (const role of roles) {
    const waits = await role.unrenewed?.(context);
    if (waits !== undefined) throw failed("ca.services", `${role.name}: ${waits}`);
  }
}

/**
 * MinIO's servers read the CAs by which they know each other when they start, and never again: one after the other would have
 * to be started anew in each stage, which nobody does yet.
 * @throws ChimeError `ca.stores` (exit 3)
 */
export function requireRotatable({ roles }: Spec): void {
  if (!roles.minio?.tls) return;
  throw refused(
    "ca.stores",
    "MinIO has certificates of the cluster's CA (roles.minio.tls), which ca rotate cannot renew yet",
    "docs/security.md, Not covered yet",
  );
}

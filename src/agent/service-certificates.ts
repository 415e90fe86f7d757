import { failed, refused, toChimeError } from "../core/errors.ts";
import { openLedger } from "../plan/ledger.ts";
import { plan } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
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

/**
 * Stores that speak TLS read the CAs that they trust when they start, and never again: one after the other would have to be
 * started anew in each stage, which nobody does yet.
 * @throws ChimeError `ca.stores` (exit 3)
 */
export function requireRotatable({ roles }: Spec): void {
  const stores = [roles.minio?.tls && "minio", roles.influxdb?.tls && "influxdb"].filter(Boolean);
  if (stores.length === 0) return;
  throw refused(
    "ca.stores",
    `${stores.join(" and ")} has certificates of the cluster's CA (tls = true), which ca rotate cannot renew yet`,
    "docs/security.md, A rotation of the CA",
  );
}

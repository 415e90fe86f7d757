import type { MemberView } from "../cluster/types.ts";
import { failed, refused, toChimeError } from "../core/errors.ts";
import { openLedger, type Ledger } from "../plan/ledger.ts";
import { plan, type PlannedChange } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { Role, RoleContext } from "../roles/types.ts";

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

/**
 * @throws ChimeError `ca.services` where a certificate is not yet as the cluster's CAs have it, its service did not take it, or
 *   one that it needs has yet to be reloaded for it
 */
export async function requireCertificates(
  resources: readonly Resource[],
  ledger: () => Promise<Ledger> = openLedger,
): Promise<void> {
  const certificates = new Set(resources.map(({ id }) => id).filter(isCertificate));
  const concerned = resources
    .filter(({ id, needs }) => certificates.has(id) || needs.some((need) => certificates.has(need)))
    .map((one): Resource => ({ ...one, needs: one.needs.filter((need) => certificates.has(need)) }));
  const late = (await plan(concerned, await ledger())).filter(
    (change) => certificates.has(change.resource) || isDue(change),
  );
  if (late.length === 0) return;
  const names = late.map(({ resource }) => resource).join(", ");
  throw failed("ca.services", `${names} is not as the cluster's CA has it`, {
    remedy: "chime-node plan, then chime-node apply",
  });
}

const isCertificate = (id: string): boolean => id.startsWith("certificate:");

/** What was changed by hand waits for an operator, and is not waited for. */
const isDue = ({ impact, cause }: PlannedChange): boolean => impact === "reload" && cause === "spec";

/** @throws ChimeError `ca.services` where a server still shows the certificate before, or trusts the CAs before */
export async function requireShown(context: RoleContext, roles: readonly Role[]): Promise<void> {
  for (const role of roles) {
    const waits = await role.unrenewed?.(context);
    if (waits !== undefined) throw failed("ca.services", `${role.name}: ${waits}`);
  }
}

/** @throws ChimeError `ca.old_member` (exit 3) where a server would go on with the CAs that it was started with, for good */
export function requireFollowers(
  context: RoleContext,
  members: readonly MemberView[],
  roles: readonly Role[],
): void {
  for (const role of roles) {
    const old = role.cannotFollow?.(context, members) ?? [];
    if (old.length === 0) continue;
    throw refused(
      "ca.old_member",
      `${old.join(" and ")} does not say which CAs the server of ${role.name} there was started with: the chime-node there is an ` +
        "older one, or has only just started",
      "upgrade it first: docs/operations.md",
    );
  }
}

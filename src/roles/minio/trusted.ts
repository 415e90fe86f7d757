import { createHash } from "node:crypto";
import * as v from "valibot";
import { paths } from "../../core/paths.ts";
import { makeParents, readText, writeAtomically } from "../../host/files.ts";
import { showUnit, type UnitState } from "../../host/systemd.ts";
import { changedAt } from "../../resources/stamp.ts";
import { isShown } from "../shown-certificate.ts";
import type { RoleContext } from "../types.ts";
import { layout, minioSpec, s3Port } from "./layout.ts";
import { serverFiles } from "./tls.ts";

/** A restart that was ordered: from then on every run of the server but the one before goes by these CAs. */
const orderSchema = v.object({ ca: v.string(), before: v.string() });
export type TrustOrder = v.InferOutput<typeof orderSchema>;

/** Of the CA file that is there; undefined: there is none. */
export async function trustThere(): Promise<string | undefined> {
  const text = await readText(serverFiles.ca);
  return text === undefined ? undefined : createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** Whether this node's server runs, and was started with other CAs than those that are there: it reads them then alone [tried]. */
export async function trustsOthers(unit: string): Promise<boolean> {
  const [run, ca, changed, order] = await Promise.all([
    showUnit(unit),
    trustThere(),
    changedAt([serverFiles.ca]),
    readOrder(),
  ]);
  return wasStartedBefore(run, { ca, changed }, order);
}

/**
 * Pure. By the file's age, but where a restart for it was ordered: a clock that was set back would have it restarted again and again.
 * @param there the CA file, and when it came to be as it is, ms since the epoch
 */
export function wasStartedBefore(
  { active, invocation, startedAt }: Pick<UnitState, "active" | "invocation" | "startedAt">,
  there: { ca: string | undefined; changed: number },
  order: TrustOrder | undefined,
): boolean {
  if (there.ca === undefined || (active !== "active" && active !== "activating")) return false;
  return order?.ca === there.ca ? invocation === order.before : there.changed > startedAt;
}

/** What this node's server waits for until it goes by the certificates that are there; undefined: it does. */
export async function unrenewed(context: RoleContext): Promise<string | undefined> {
  if (!minioSpec(context).tls) return undefined;
  if (await trustsOthers(layout(context).product.unit)) {
    return "its server is started anew for the CAs that it trusts, with the others or in its turn";
  }
  const shows = await isShown(context.self.address, s3Port, serverFiles);
  return shows ? undefined : "its server has yet to read its new certificate";
}

/** To be called before the server is restarted for what is there. */
export async function orderTrust(unit: string): Promise<void> {
  const [{ invocation: before }, ca] = await Promise.all([showUnit(unit), trustThere()]);
  if (ca === undefined) return;
  await makeParents(paths.minioTrust);
  const order: TrustOrder = { ca, before };
  await writeAtomically(paths.minioTrust, JSON.stringify(order), { mode: 0o600, uid: 0, gid: 0 });
}

/** One that is not understood is none. */
async function readOrder(): Promise<TrustOrder | undefined> {
  const parsed = v.safeParse(
    v.pipe(v.string(), v.parseJson(), orderSchema),
    await readText(paths.minioTrust),
  );
  return parsed.success ? parsed.output : undefined;
}

import type { MaintenanceResult } from "../agent/maintenance.ts";
import { callAgent } from "../agent/socket.ts";
import { ChimeError } from "../core/errors.ts";
import { requireIdentity, requireRoot } from "./context.ts";
import type { Io } from "./io.ts";

/** A handover waits up to 10 s for a replica that is on its way, and up to 20 s for its takeover. */
const timeoutMs = 60_000;

/**
 * Puts this node into maintenance, or ends it.
 * @throws ChimeError `maintenance.nobody_left` (exit 3) where no other node could write, unless the operator agrees
 */
export async function setMaintenance(on: boolean, io: Io): Promise<MaintenanceResult> {
  requireRoot();
  const { self } = await requireIdentity();
  const call = (accept: boolean) =>
    callAgent<MaintenanceResult>("maintenance", { on, accept }, { timeoutMs, signal: io.signal });
  io.progress(on ? `handing over what ${self.name} writes` : `making ${self.name} eligible again`);
  try {
    return await call(false);
  } catch (error) {
    if (!(error instanceof ChimeError) || error.code !== "maintenance.nobody_left") throw error;
    // Where nobody can be asked the refusal says it all.
    const agreed = await io.confirm(`${error.message}. Stop it?`).catch(() => false);
    if (!agreed) throw error;
    return call(true);
  }
}

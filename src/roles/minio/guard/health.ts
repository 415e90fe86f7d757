import { isAtRest, showUnit, type UnitState } from "../../../host/systemd.ts";
import { addressOf, direct } from "../../http.ts";
import type { RoleContext } from "../../types.ts";
import { layout, s3Port } from "../layout.ts";
import type { Store } from "../store.ts";
import { ownStore } from "../stores.ts";

/** What a node's server says of the whole store. `cluster` = 200 does not yet mean that a write goes through. */
export interface Health {
  /** Its process answers. */
  up: boolean;
  /** Enough drives answer for reads, and for writes. */
  reads: boolean;
  writes: boolean;
}

/** A node's, by what its `Store` says. */
type Server = Pick<Store, "address" | "ca"> & { port?: number };

/** Just after a node lost its power the server waits for it, and answers late rather than wrongly (10 s seen). */
const answerMs = 15_000;

export async function readHealth(server: Server, signal: AbortSignal): Promise<Health> {
  const [reads, writes] = await Promise.all([
    page(server, "cluster/read", signal),
    page(server, "cluster", signal),
  ]);
  return { up: reads !== null, reads: reads === 200, writes: writes === 200 };
}

/** Whether this node's server answers, or does not run: then it will be started with what is there. */
export async function isSettled(context: RoleContext, signal: AbortSignal): Promise<boolean> {
  const { reads } = await readHealth(ownStore(context), signal);
  return settles(await showUnit(layout(context).product.unit), reads);
}

/** The same. Pure. What answered may have been the run before, which is about to end, or ends. */
export function settles(unit: Pick<UnitState, "active" | "isPending">, reads: boolean): boolean {
  return isAtRest(unit) || (reads && unit.active === "active" && !unit.isPending);
}

/** Whether the process answers at all. */
export async function answers(server: Server, signal: AbortSignal): Promise<boolean> {
  return (await page(server, "live", signal)) !== null;
}

/** The status of a health page; null where nobody answers. */
async function page(server: Server, name: string, signal: AbortSignal): Promise<number | null> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(answerMs)]);
  return (await askPage(server, name, within))?.status ?? null;
}

/** One of a server's pages that need no signature; null where nobody answers. */
export async function askPage(
  { address, port = s3Port, ca }: Server,
  name: string,
  signal: AbortSignal,
): Promise<Response | null> {
  const server = { address, port, ca };
  try {
    const response = await fetch(`${addressOf(server)}/minio/health/${name}`, { signal, ...direct(server) });
    await response.arrayBuffer();
    return response;
  } catch {
    return null;
  }
}

import { callAgent } from "../agent/socket.ts";
import { ChimeError } from "../core/errors.ts";
import type { Io } from "./io.ts";
import { requireRoot } from "./context.ts";

/** A replica that is on its way is waited for, then its takeover; whoever stops a server does not wait longer. */
const limitMs = 30_000;

/**
 * What a role's unit runs before its service stops: the agent hands over what this node writes. Without an agent there is
 * nobody to ask, and the stop goes on.
 */
export async function beforeStop(role: string, io: Io): Promise<void> {
  requireRoot();
  try {
    await callAgent("service.stopping", { role }, { timeoutMs: limitMs, signal: io.signal });
  } catch (error) {
    if (!(error instanceof ChimeError && error.code === "agent.not_running")) throw error;
  }
}

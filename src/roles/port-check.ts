import type { RoleName } from "../cluster/types.ts";
import type { Check, Finding } from "../host/checks.ts";
import { listenerOn } from "../host/listeners.ts";

/** Who may have a port already: the role's own server, by its program's path, or one that serves in front of it. */
interface Own {
  binary: string | undefined;
  front?: string;
}

/** Whether a role's port is free. */
export function portCheck(role: RoleName, port: number, own: Own): Check {
  return { name: `${role}.port`, run: async () => checkPort(port, await listenerOn(port), own) };
}

/** Pure. */
export function checkPort(
  port: number,
  holder: Awaited<ReturnType<typeof listenerOn>>,
  { binary, front }: Own,
): Finding | undefined {
  if (holder === undefined) return undefined;
  if (holder !== "unknown" && (holder.binary === binary || holder.program === front)) return undefined;
  const who =
    holder === "unknown" ? "a program of another container" : `${holder.program} (pid ${holder.pid})`;
  return {
    severity: "error",
    message: `port ${port} is taken by ${who}`,
    remedy: `stop ${holder === "unknown" ? "it" : holder.program}, or give it another port`,
  };
}

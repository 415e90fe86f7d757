import { callAgent } from "../agent/socket.ts";
import type { Status } from "../agent/status.ts";
import { isStore, type RoleStatus } from "../roles/types.ts";
import type { Io } from "./io.ts";

/** Said before anybody agrees to take this node out. Never fails: an agent that does not run tells nothing. */
export async function warnOfLoss(self: string, io: Io): Promise<void> {
  const options = { signal: io.signal };
  const status = await callAgent<Status>("status", { drift: false }, options).catch(() => undefined);
  for (const line of status ? lossWithout(status, self) : []) io.warn(line);
}

/** What the stores of a pool can do no more without a node's drives, while other nodes go on. Pure. */
export function lossWithout(
  { roles }: { roles: Readonly<Record<string, RoleStatus>> },
  self: string,
): string[] {
  return Object.entries(roles).flatMap(([role, found]) => {
    if (!isStore(found) || found.topology === "mirror" || found.nodes.length < 2) return [];
    const own = found.nodes.find(({ name }) => name === self);
    if (!own || own.drives.online === 0) return [];
    const { drives, quorum } = found;
    const left = drives.online - own.drives.online;
    const lost = [
      ...(left < quorum.read && drives.online >= quorum.read ? [`a read needs ${quorum.read}`] : []),
      ...(left < quorum.write && drives.online >= quorum.write ? [`a write needs ${quorum.write}`] : []),
    ];
    if (lost.length === 0) return [];
    const what = left < quorum.read ? "down" : "read-only";
    return [
      `${role} is ${what} without ${self}: ${left} of ${drives.total} drives are left then, ${lost.join(", ")}`,
    ];
  });
}

import { isGuarded } from "../../of-role.ts";
import type { MemberView } from "../../../cluster/types.ts";
import { nodes, roleName } from "../layout.ts";
import type { Health } from "./health.ts";

/** How far this node's part of the store has come. */
export interface Progress {
  /** Whom the layout still lacks; undefined: nobody. */
  lacks: string | undefined;
  health: Health;
  /** Why the other nodes' servers may not be there; empty: nothing is known against them. */
  others: readonly string[];
  /** An object went in and out through its server. */
  proven: boolean;
  /** Its server has found all drives. */
  attached: boolean;
  /** Its balancer gives reads to a server, so that the VIP may come here. */
  balanced: boolean;
  /** Why an object does not go through yet, or the server does not start. */
  trouble: string | null;
}

/** Once it has been said of a server that it serves, it does its part, whatever happens to the others. */
export function isReady({ proven, attached, balanced }: Progress): boolean {
  return proven && attached && balanced;
}

/** What a node that is not ready waits for, one line. Pure. */
export function awaited({ lacks, health, others, proven, attached, trouble }: Progress): string {
  const because = trouble === null ? "" : ` (${trouble})`;
  if (lacks !== undefined) return lacks;
  if (!health.up) return `waiting for the server to start${because}`;
  if (!health.reads) return ["waiting for the servers of the other nodes", ...others].join("; ");
  if (!proven) return `waiting for a PUT, a GET and a DELETE to go through${because}`;
  if (!attached) return "waiting for the server to find all drives (up to 15 s)";
  return "waiting for the balancer to take the servers for well (up to 20 s)";
}

/** What keeps another node's server from being there, and what helps: one clause a node. Pure. */
export function behind(self: string, members: readonly MemberView[]): string[] {
  return nodes(members).flatMap(({ name, state, phase }) => {
    if (name === self) return [];
    if (state !== "alive") return [`${name} is not heard`];
    if (isGuarded(phase[roleName])) return [];
    return [`${name} is still being set up: if nobody is at it, chime-node join --role ${roleName} there`];
  });
}

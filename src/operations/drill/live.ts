import { obstacle, type Fault } from "../../agent/obstacle.ts";
import { callAgent } from "../../agent/socket.ts";
import type { Status } from "../../agent/status.ts";
import { systemClock } from "../../core/clock.ts";
import { failed } from "../../core/errors.ts";
import { isPair, isStore } from "../../roles/types.ts";
import { haproxy } from "../../vip/balancer/haproxy.ts";
import type { Io } from "../io.ts";
import type { Clients } from "./clients.ts";
import type { Stage, Strike } from "./run.ts";

export type LiveKind = Fault | "switchover";

/** What a drill may do to a cluster that serves: each of it ends by itself. */
export const liveKinds = {
  pair: ["kill", "switchover"],
  store: ["kill", "disk-pulled", "disk-full"],
  twins: ["kill", "hang", "disk-full"],
} as const satisfies Record<string, readonly LiveKind[]>;

/** What a role is to a drill. */
export type Service = keyof typeof liveKinds;

/** From the call until the fault is done, another node's agent and systemd included: as a rule, and at the longest. */
const strikeMs = 1_000;
const longestMs = 45_000;
const switchoverMs = 60_000;

/** How long it may take until the next fault may be. A store looks at every object, twins fill what one lacks. */
const levelMs = { pair: 120_000, store: 3_600_000, twins: 600_000 } as const satisfies Record<
  Service,
  number
>;

/** The cluster that this node is a member of. */
export function liveStage(
  role: string,
  kinds: readonly LiveKind[],
  clients: Clients,
  { signal, progress }: Io,
): Stage<LiveKind> {
  const status = () => callAgent<Status>("status", {}, { signal });
  let struck = 0;
  return {
    async strike(kind): Promise<Strike> {
      const victim = nextVictim(await status(), role, struck++);
      // Before: the other node's clock is not this one's.
      const at = systemClock.wall();
      if (kind === "switchover") await callAgent("switchover", {}, { signal, timeoutMs: switchoverMs });
      else
        await callAgent(
          "drill.strike",
          { role, node: victim, fault: kind },
          { signal, timeoutMs: longestMs },
        );
      return { victim, at, settleMs: Math.max(strikeMs, systemClock.wall() - at) };
    },
    async untilLevel() {
      const start = systemClock.now();
      for (;;) {
        const now = await status();
        const service = serviceOf(now, role);
        const why = standsNot(now, role, kinds) ?? (service === "store" ? await awaited() : undefined);
        if (why === undefined) return;
        if (systemClock.now() > start + levelMs[service]) {
          throw failed("drill.not_level", `${role} cannot stand a failure: ${why}`, "chime-node status");
        }
        progress(`waiting: ${why}`);
        await systemClock.sleep(100, signal);
      }
    },
    acknowledged: () => Promise.resolve(clients.acknowledged),
  };
}

/** Why one of them would be an outage now. Pure. */
export function standsNot(status: Status, role: string, kinds: readonly LiveKind[]): string | undefined {
  const each = kinds.map((kind) => obstacle(status, role, kind === "switchover" ? "kill" : kind));
  return each.find((why) => why !== undefined);
}

export function serviceOf({ roles }: Pick<Status, "roles">, role: string): Service {
  const found = roles[role];
  if (!found || isPair(found)) return "pair";
  return isStore(found) ? "store" : "twins";
}

/** Of a pair the writer; of twins the one that is read from; of a store each node in turn, and first the one that holds the VIP. Pure. */
export function nextVictim(
  { roles, vips }: Pick<Status, "roles" | "vips">,
  role: string,
  nth: number,
): string {
  const found = roles[role];
  if (!found || isPair(found)) return found?.writable[0] ?? "";
  if (!isStore(found)) return vips.find((vip) => vip.role === role)?.holders[0] ?? "";
  const names = found.nodes.map(({ name }) => name);
  const holder = vips.find((vip) => vip.role === role)?.holders[0] ?? "";
  return names[(Math.max(0, names.indexOf(holder)) + nth) % names.length] ?? "";
}

/** Where this node spreads requests: whom it does not give any yet. */
async function awaited(): Promise<string | undefined> {
  const out = (await haproxy.view()).find(({ up }) => !up);
  return out && `the balancer gives ${out.node} no requests yet`;
}

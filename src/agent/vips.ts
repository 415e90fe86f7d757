import { log } from "../core/log.ts";
import type { RoleName } from "../cluster/types.ts";
import { readNotifications } from "../vip/fifo.ts";
import { holdsAddress } from "../vip/holder.ts";
import { readEligible, writeEligible } from "../vip/track.ts";
import type { VipState } from "./guard.ts";

/** This node's VRRP instances, by role: what keepalived says of them, and the gate that the guards move. */
export interface Vips {
  state(role: RoleName): VipState;
  setEligible(role: RoleName, eligible: boolean): void;
  /** Whether the address is on an interface of this node right now, by the kernel's word. */
  holds(address: string): Promise<boolean>;
  /** What the kernel tells at a start, where notifications were missed while no agent ran. */
  learn(role: RoleName, address: string): Promise<void>;
  close(): Promise<void>;
}

export async function watchVips(onState: (role: RoleName, state: VipState) => void): Promise<Vips> {
  const states = new Map<RoleName, VipState>();
  const fifo = await readNotifications(({ instance, state }) => {
    if (states.get(instance) === state) return;
    log.info(`VIP ${instance}: ${states.get(instance) ?? "UNKNOWN"} → ${state}`);
    states.set(instance, state);
    onState(instance, state);
  });
  return {
    state: (role) => states.get(role) ?? "UNKNOWN",
    setEligible(role, eligible) {
      if (readEligible(role) === eligible) return;
      log.info(`VIP ${role}: this node is ${eligible ? "eligible" : "not eligible"}`);
      writeEligible(role, eligible);
    },
    holds: holdsAddress,
    async learn(role, address) {
      const holds = await holdsAddress(address);
      const told = states.get(role);
      // A line from the FIFO may be older than the agent's absence: the kernel knows better who is master.
      if (told !== undefined && (told === "MASTER") === holds) return;
      states.set(role, holds ? "MASTER" : readEligible(role) ? "BACKUP" : "FAULT");
    },
    close: () => fifo.close(),
  };
}

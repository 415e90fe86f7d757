import { log } from "../core/log.ts";
import type { RoleName } from "../cluster/types.ts";
import { readNotifications } from "../vip/fifo.ts";
import { holdsAddress } from "../vip/holder.ts";
import { readEligible, writeEligible } from "../vip/track.ts";
import type { VipState } from "../vip/fifo.ts";

/** This node's VRRP instances, by role: what keepalived says of them, and the gate that the guards move. */
export interface Vips {
  /** FAULT from the moment on at which the gate is closed. */
  state(role: RoleName): VipState;
  /** Whether keepalived still has it here, also in the moment in which it is about to obey a gate that was closed. */
  isHere(role: RoleName): boolean;
  /** Closes the gate at once; opens it as soon as `mayOpen` allows it. */
  setEligible(role: RoleName, eligible: boolean): void;
  isEligible(role: RoleName): boolean;
  /** Wished to be open, and not allowed yet. */
  isWaiting(role: RoleName): boolean;
  /** Opens gates that had to wait, where they need not any more. */
  settle(): void;
  /** Whether the address is on an interface of this node right now, by the kernel's word. */
  holds(address: string): Promise<boolean>;
  /** What the kernel tells at a start, where notifications were missed while no agent ran. @param runs keepalived does */
  learn(role: RoleName, address: string, runs: boolean): Promise<void>;
  /** From now on others hear of each change, at first of those since `watchVips`: to be called once all of them are there. */
  start(): void;
  close(): Promise<void>;
}

/**
 * keepalived obeys its gate in less than 0.1 s. One that does not hangs: the address has to be taken from it before
 * this node is eligible again, or two nodes answer for it in turns. Taking it from one that is only slow does no harm.
 */
const obeyMs = 400;

export interface VipEvents {
  onState(role: RoleName, state: VipState): void;
  /** The gate is closed, and keepalived has not given the VIP up. */
  onDisobeyed(role: RoleName): Promise<void>;
  mayOpen(role: RoleName): boolean;
}

export async function watchVips(events: VipEvents, path?: string): Promise<Vips> {
  const states = new Map<RoleName, VipState>();
  const waiting = new Set<RoleName>();
  /** Closed, and keepalived has not said that it obeys: opened before that, a hung one would count as master again. */
  const closing = new Set<RoleName>();
  /** Told by keepalived before anybody could hear of it; undefined: everybody can. */
  let early: Set<RoleName> | undefined = new Set();

  function learned(role: RoleName, state: VipState): void {
    if (states.get(role) === state) return;
    log.info(`VIP ${role}: ${states.get(role) ?? "UNKNOWN"} → ${state}`);
    states.set(role, state);
    if (state !== "MASTER") closing.delete(role);
    if (early) early.add(role);
    else events.onState(role, state);
    if (waiting.has(role)) setEligible(role, true);
  }

  function setEligible(role: RoleName, eligible: boolean): void {
    const isOpen = readEligible(role);
    if (eligible && !isOpen && (closing.has(role) || !events.mayOpen(role))) {
      waiting.add(role);
      return;
    }
    waiting.delete(role);
    if (isOpen === eligible) return;
    log.info(`VIP ${role}: this node is ${eligible ? "eligible" : "not eligible"}`);
    writeEligible(role, eligible);
    if (eligible || states.get(role) !== "MASTER") return;
    closing.add(role);
    setTimeout(() => void checkObeyed(role), obeyMs);
  }

  async function checkObeyed(role: RoleName): Promise<void> {
    if (!closing.has(role)) return;
    try {
      await events.onDisobeyed(role);
      learned(role, "FAULT");
    } catch (error) {
      log.error(`VIP ${role}:`, error);
      setTimeout(() => void checkObeyed(role), obeyMs);
    }
  }

  const fifo = await readNotifications(({ instance, state }) => learned(instance, state), path);
  return {
    // A closed gate is FAULT at once, also where keepalived hangs and never says so.
    state: (role) => (closing.has(role) ? "FAULT" : (states.get(role) ?? "UNKNOWN")),
    isHere: (role) => states.get(role) === "MASTER",
    setEligible,
    isEligible: (role) => readEligible(role),
    isWaiting: (role) => waiting.has(role),
    settle() {
      for (const role of waiting) setEligible(role, true);
    },
    holds: holdsAddress,
    async learn(role, address, runs) {
      const holds = await holdsAddress(address);
      const told = states.get(role);
      // A line from the FIFO may be older than the agent's absence: the kernel knows better who is master.
      if (told !== undefined && (told === "MASTER") === holds) return;
      states.set(role, holds ? "MASTER" : runs && readEligible(role) ? "BACKUP" : "FAULT");
    },
    start() {
      const changed = early ?? [];
      early = undefined;
      for (const role of changed) events.onState(role, states.get(role) ?? "UNKNOWN");
    },
    close: () => fifo.close(),
  };
}

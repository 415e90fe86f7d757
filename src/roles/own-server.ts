import { showUnit, startSoon } from "../host/systemd.ts";
import type { GuardDeps } from "./guard.ts";

/** keepalived gives an address up within 0.1 s. */
const leftMs = 5_000;

/** Starts this node's server where it is down, and waits for nothing. @returns why it does not start, where it is known */
export async function startServer(unit: string): Promise<string | null> {
  const { active } = await showUnit(unit);
  if (active === "inactive" || active === "failed") await startSoon(unit);
  return active === "failed" ? `${unit} failed: journalctl -u ${unit}` : null;
}

/** Closes this node's way to the VIP, and waits until that has left. */
export async function giveVipUp(deps: GuardDeps, signal: AbortSignal): Promise<void> {
  const { clock } = deps;
  deps.setEligible(false);
  const giveUp = clock.now() + leftMs;
  while (deps.vip() === "MASTER" && clock.now() < giveUp) await clock.sleep(50, signal);
}

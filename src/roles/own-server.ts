import type { RoleName } from "../cluster/types.ts";
import { failed } from "../core/errors.ts";
import { until } from "../core/until.ts";
import { isAtRest, showUnit, startSoon, type UnitState } from "../host/systemd.ts";
import type { GuardDeps } from "./guard.ts";
import { heardOthers, isGuarded } from "./of-role.ts";

/** keepalived gives an address up within 0.1 s. */
const leftMs = 5_000;
/** A keepalived that is being reloaded stands by again within a second, and tells it with its agent's next look. */
const heirMs = 10_000;
const everyMs = 20;
/** A server that meets a port not yet free, or a disk not yet there, is up after fewer. */
const mostRestarts = 5;
/** One that has run for so long without being up is at work, as on its way through a log, however often it has ended before. */
const startingMs = 60_000;

type Waits = Pick<GuardDeps["clock"], "now" | "sleep">;

/** Starts this node's server where it is down, and waits for nothing. @returns why it does not start, where it is known */
export async function startServer(unit: string): Promise<string | null> {
  const state = await showUnit(unit);
  if (isAtRest(state)) await startSoon(unit);
  return whyNotUp(unit, state, Date.now());
}

/**
 * What systemd knows of a server that is not there; null: it may only be starting. Pure.
 * @param now ms since the epoch
 */
export function whyNotUp(
  unit: string,
  { active, restarts, runs, startedAt }: Pick<UnitState, "active" | "restarts" | "runs" | "startedAt">,
  now: number,
): string | null {
  if (active === "failed") return `${unit} failed: journalctl -u ${unit}`;
  // Without their number, and how it ended last: both change from look to look, and nobody is told the same twice.
  const ends = active === "activating" && restarts >= mostRestarts && !(runs && now - startedAt > startingMs);
  return ends ? `${unit} ends each time it is started: journalctl -u ${unit}` : null;
}

/** Lets clients end what they have under way, closes this node's way to the VIP, and waits until that has left, or for at most `limitMs`. */
export async function giveVipUp(
  deps: Pick<GuardDeps, "setEligible" | "hasVip" | "drain"> & { clock: Waits },
  signal: AbortSignal | undefined,
  limitMs = leftMs,
): Promise<void> {
  await deps.drain();
  deps.setEligible(false);
  await until(deps.clock, { limitMs, everyMs, signal }, () => !deps.hasVip());
}

/**
 * Waits until another node stands by for a role's VIP that is here. It may be given up then without being nowhere.
 * @throws ChimeError `ROLE.no_heir` where nodes of the role live, and none of them does
 */
export async function awaitHeir(
  role: RoleName,
  deps: Pick<GuardDeps, "clock" | "membership" | "hasVip" | "heirs">,
  signal: AbortSignal,
): Promise<void> {
  const { clock, membership } = deps;
  const others = () =>
    heardOthers(role, membership.self, membership.members())
      .filter(({ phase }) => isGuarded(phase[role]))
      .map(({ name }) => name);
  const isFree = () => !deps.hasVip() || others().length === 0 || deps.heirs().length > 0;
  if (await until(clock, { limitMs: heirMs, everyMs, signal }, isFree)) return;
  throw failed(`${role}.no_heir`, `the VIP of ${role} is here, and ${others().join(", ")} may not take it`, {
    remedy: "chime-node status says what is wrong there; a node that is to go as well goes first",
  });
}

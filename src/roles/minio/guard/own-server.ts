import { showUnit, startSoon } from "../../../host/systemd.ts";
import type { GuardDeps } from "../../guard.ts";
import type { RoleContext } from "../../types.ts";
import { layout, minioSpec } from "../layout.ts";
import { probe } from "../probe.ts";
import { createBucket } from "../s3.ts";
import type { Limits } from "../store.ts";
import { ownStore } from "../stores.ts";

/** keepalived gives an address up within 0.1 s. */
const leftMs = 5_000;

/** Starts this node's server where it is down, and waits for nothing. @returns why it does not start, where it is known */
export async function startServer(context: RoleContext): Promise<string | null> {
  const { unit } = layout(context).product;
  const { active } = await showUnit(unit);
  if (active === "inactive" || active === "failed") await startSoon(unit);
  return active === "failed" ? `${unit} failed: journalctl -u ${unit}` : null;
}

/** That objects go in and out through this node's server, health pages do not say. @throws ChimeError `minio.*` */
export async function prove(context: RoleContext, limits: Limits): Promise<void> {
  const { bucket } = minioSpec(context);
  const store = ownStore(context);
  await createBucket(store, bucket, limits);
  await probe(store, bucket, context.self.name, limits);
}

/** Closes this node's way to the VIP, and waits until that has left. */
export async function giveVipUp(deps: GuardDeps, signal: AbortSignal): Promise<void> {
  const { clock } = deps;
  deps.setEligible(false);
  const giveUp = clock.now() + leftMs;
  while (deps.vip() === "MASTER" && clock.now() < giveUp) await clock.sleep(50, signal);
}

import { lockHolder } from "../../../host/packages/dpkg-lock.ts";
import { killUnit } from "../../../host/systemd.ts";
import { log } from "../../../core/log.ts";
import type { MysqlGuard } from "./guard.ts";
import { handOver } from "./handover.ts";
import { rememberPackageWork } from "./unit.ts";
import type { View } from "./view.ts";

/** The writer goes on alone within milliseconds once its replica says goodbye. */
const goodbyeMs = 1_000;

/**
 * What the server's unit asks before each stop (ExecStop): a reboot, an operator's `systemctl stop`, a package upgrade.
 * The writer hands over; the replica says goodbye, so that no commit waits for it. Never fails: the stop comes anyway.
 */
export async function beforeStop(guard: MysqlGuard): Promise<void> {
  const { server } = guard.view ?? {};
  if (!server || "down" in server) return;
  const holder = await lockHolder();
  if (holder !== undefined) await rememberPackageWork(server.life);
  log.info(`mysql: the server is about to be stopped${holder === undefined ? "" : `, by ${holder}`}`);
  guard.withdrawal.prepareStop();
  try {
    await handOver(guard);
  } catch (error) {
    log.warn(`mysql: stopped without a handover: ${(error as Error).message}`);
  }
  guard.withdrawal.leave();
  await guard.until(isOut, goodbyeMs);
  // A stop in order could tell clients that a commit succeeded which waits for a replica that never answers.
  const now = guard.view?.server;
  if (now && "readOnly" in now && !now.readOnly && now.source.waiting > 0) {
    await killUnit(guard.layout.product.unit);
  }
}

function isOut({ term, self }: View): boolean {
  return !term?.in_sync.includes(self) || term.writer === self;
}

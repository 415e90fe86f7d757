import { failed } from "../../../core/errors.ts";
import type { MysqlGuard } from "./guard.ts";
import type { PeerView, View } from "./view.ts";

/** A peer that follows is in sync a second after the last change of writer. */
const heirMs = 10_000;

/** The peer takes over within half a second; a long transaction that has to be rolled back first takes longer. */
const handoverMs = 20_000;

/**
 * Gives the role to the peer, which must be in sync. Used before this node leaves.
 * @throws ChimeError `mysql.no_heir`, `mysql.handover_failed`; then this node serves on
 */
export async function handOver(guard: MysqlGuard): Promise<{ to: string | null }> {
  const { term, self } = guard.view ?? {};
  if (!term || term.writer !== self) return { to: term?.writer ?? null };
  const heir = await findHeir(guard);
  if (!heir) {
    throw failed("mysql.no_heir", "no other MySQL node is in sync, so none can take over", {
      remedy: "wait until chime-node status shows the replica as protected, then run this again",
    });
  }
  guard.withdrawal.standDown(handoverMs);
  const moved = await guard.until(
    (view) => view.peers.some((peer) => peer.name === heir.name && peer.said?.state === "writer"),
    handoverMs,
  );
  if (moved) return { to: heir.name };
  guard.withdrawal.standDown(0);
  throw failed("mysql.handover_failed", `${heir.name} did not take over within ${handoverMs / 1000} s`, {
    remedy: `journalctl -u chime-node on ${heir.name} says why; this node serves on`,
  });
}

/** Waits for a peer that is on its way; where none is alive there is nothing to wait for. */
async function findHeir(guard: MysqlGuard): Promise<PeerView | undefined> {
  await guard.until((view) => ableHeir(view) !== undefined || !view.peers.some(isAlive), heirMs);
  return guard.view && ableHeir(guard.view);
}

function ableHeir(view: View): PeerView | undefined {
  return view.peers.find((peer) => isAlive(peer) && peer.said?.able);
}

function isAlive(peer: PeerView): boolean {
  return peer.state === "alive";
}

import type { RoleContext } from "../types.ts";
import { s3Port, slotName } from "./layout.ts";
import { releaseLocksOf } from "./locks.ts";
import { rememberedSlot, slotOf } from "./slots.ts";
import type { Store } from "./store.ts";
import { ownStore } from "./stores.ts";

const timeoutMs = 10_000;

/**
 * Ends the locks of a node's server that is gone.
 * @param options.store whose server is asked; default: this node's own
 * @param options.before ms since the epoch: only those of a server that ran before the present one
 * @throws ChimeError `minio.*`
 */
export async function releaseLocks(
  context: RoleContext,
  node: string,
  options: { store?: Store; before?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const { store = ownStore(context), before, signal } = options;
  const limits = { timeoutMs, signal };
  const slot = slotOf(context, context.members, node, rememberedSlot());
  if (slot === null) return;
  const owner = `${slotName(slot, context.spec.cluster.domain)}:${s3Port}`;
  await releaseLocksOf(store, owner, limits, before);
}

import type { Clock } from "../../../core/clock.ts";
import type { RoleContext } from "../../types.ts";
import { s3Port, slotName } from "../layout.ts";
import { rememberedSlot, slots } from "../slots.ts";
import { authorityOf, schemeOf } from "../tls.ts";
import { answers } from "./health.ts";

/** A server listens within a second of its start; one whose start fails is waited for by nobody for longer. */
const patienceMs = 5_000;
const lookMs = 50;

/**
 * The servers of a pool (by their URLs) in the order in which they are best started for the first time. Of two servers
 * one connects to the other, which one is told by a hash of both names (`shouldConnect` in MinIO's internal/grid). Where
 * the other does not listen yet, it tries again 1 to 2 s later; and a server that has not found all drives about a second
 * after it has started looks for them again only 15 s later: that befell 2 of 12 stores whose servers were started at the
 * same moment, and none whose servers were started in this order [tried]. Where no order serves all, the best is taken. Pure.
 */
export function startOrder(urls: readonly string[]): string[] {
  const connectsTo = (one: string) => urls.filter((other) => other !== one && isCaller(one, other)).length;
  return urls.toSorted((one, other) => connectsTo(one) - connectsTo(other));
}

function isCaller(one: string, other: string): boolean {
  return Bun.hash.xxHash3(one + other) < Bun.hash.xxHash3(other + one);
}

/** The nodes whose servers are started before this node's, the first time. Pure. */
export function predecessors(context: RoleContext, own: number | null): { name: string; address: string }[] {
  const { self, spec } = context;
  const nodes = new Map(
    [...slots(context, context.members, own)].map(([slot, node]) => [urlOf(slot, spec), node]),
  );
  const inOrder = startOrder([...nodes.keys()]).flatMap((url) => nodes.get(url) ?? []);
  return inOrder.slice(
    0,
    Math.max(
      0,
      inOrder.findIndex(({ name }) => name === self.name),
    ),
  );
}

const urlOf = (slot: number, spec: RoleContext["spec"]): string =>
  `${schemeOf({ spec })}://${slotName(slot, spec.cluster.domain)}:${s3Port}`;

/**
 * Waits until they listen, but no longer than anybody is waited for: one that has just lost its power does not even refuse.
 * @throws the signal's reason
 */
export async function untilPreceded(
  context: RoleContext,
  clock: Pick<Clock, "sleep">,
  signal: AbortSignal,
  forMs = patienceMs,
): Promise<void> {
  const waiting = AbortSignal.any([signal, AbortSignal.timeout(forMs)]);
  for (const { address } of predecessors(context, rememberedSlot())) {
    while (!waiting.aborted && !(await answers({ address, ca: authorityOf(context) }, waiting))) {
      await clock.sleep(lookMs, waiting).catch(() => undefined);
    }
  }
  signal.throwIfAborted();
}

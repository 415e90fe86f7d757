import { readFileSync } from "node:fs";
import type { Member } from "../../cluster/types.ts";
import { paths } from "../../core/paths.ts";
import { isMissing, makeParents, writeAtomically } from "../../host/files.ts";
import type { RoleContext } from "../types.ts";
import { minioSpec, nodes } from "./layout.ts";
import { publishedBy } from "./published.ts";

type Node = Pick<Member, "name" | "index" | "roles" | "roleState">;

/**
 * Which place in the layout each node has, from 1: for good, since its drives know it. A node keeps the one that it was
 * given; when all nodes are there, those without one take what is free, by rising index. So a node that is gone moves
 * nobody, and a new one gets the lost one's place. Pure.
 * @param own the place that this node remembers; what it said of itself is forgotten at each start of its agent
 */
export function slots<T extends Node>(
  { spec, self }: Pick<RoleContext, "spec" | "self">,
  members: readonly T[],
  own: number | null,
): Map<number, T> {
  const present = nodes(members);
  const taken = new Map<number, T>();
  const without: T[] = [];
  for (const node of present) {
    const slot = (node.name === self.name ? own : null) ?? publishedBy(node)?.slot ?? null;
    if (slot === null || taken.has(slot)) without.push(node);
    else taken.set(slot, node);
  }
  if (present.length < minioSpec({ spec }).nodes) return taken;
  for (const node of without) {
    let slot = 1;
    while (taken.has(slot)) slot++;
    taken.set(slot, node);
  }
  return taken;
}

/** The place of one of the members, by its name; null where it has none (yet). Pure. */
export function slotOf(
  context: Pick<RoleContext, "spec" | "self">,
  members: readonly Node[],
  node: string,
  own: number | null,
): number | null {
  for (const [slot, { name }] of slots(context, members, own)) if (name === node) return slot;
  return null;
}

/** Nobody's: the kernel refuses to connect to it, at once and without asking the network. */
const nowhere = "255.255.255.255";

/**
 * Where the name of each place leads, by rising place. A server does not start while one of the names cannot be looked up
 * [tried], so that of a place whose node left, or was removed, leads nowhere until another one has it. Pure.
 */
export function slotAddresses(
  context: Pick<RoleContext, "spec" | "self">,
  members: readonly (Node & Pick<Member, "address">)[],
  own: number | null,
): [slot: number, address: string][] {
  const taken = slots(context, members, own);
  // Before that nothing was laid out; and a place that is not known yet is not free.
  const isLaidOut = own !== null && taken.size === nodes(members).length;
  const all = Array.from({ length: minioSpec(context).nodes }, (_, i) => i + 1);
  return all.flatMap((slot) => {
    const address = taken.get(slot)?.address ?? (isLaidOut ? nowhere : undefined);
    return address === undefined ? [] : [[slot, address] as [number, string]];
  });
}

/** This node's own place, as it was given to it; null before that. */
export function rememberedSlot(path: string = paths.minioSlot): number | null {
  try {
    const slot = Number(readFileSync(path, "utf8"));
    return Number.isInteger(slot) && slot > 0 ? slot : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export async function rememberSlot(slot: number, path: string = paths.minioSlot): Promise<void> {
  await makeParents(path);
  await writeAtomically(path, `${slot}\n`, { mode: 0o600, uid: 0, gid: 0 });
}

import * as v from "valibot";
import { phases } from "../../cluster/types.ts";
import { refused, toChimeError } from "../../core/errors.ts";
import type { KeptDisk, RoleContext } from "../types.ts";
import { askJson } from "./admin.ts";
import { labelOf } from "./given.ts";
import { minioSpec, nodes, roleName } from "./layout.ts";
import { publishedBy } from "./published.ts";
import { rememberSlot } from "./slots.ts";
import { storeOf } from "./stores.ts";

/** What the engine writes on each drive: of which store it is, and which of its drives. */
export const formatFile = ".minio.sys/format.json";

const id = v.pipe(v.string(), v.regex(/^[0-9a-f-]{36}$/));
const formatSchema = v.pipe(
  v.string(),
  v.parseJson(),
  v.object({
    id,
    xl: v.object({
      this: id,
      sets: v.pipe(v.array(v.pipe(v.array(id), v.maxLength(16))), v.maxLength(64)),
    }),
  }),
);
const deploymentSchema = v.object({ deploymentID: v.string() });

/** A node that has lost its power keeps the others waiting. */
const timeoutMs = 20_000;

/**
 * Takes up the disks that this node, or another one in its place, kept through a reset: by the drives' own word they are of
 * the store that the others serve now, and of a place that nobody else has. Remembers the place.
 * @throws ChimeError `disk.not_ours` (exit 3) with the reason
 */
export async function takeUp(
  context: RoleContext,
  kept: readonly KeptDisk[],
  signal: AbortSignal,
): Promise<void> {
  const { topology, nodes: count, disksPerNode } = minioSpec(context);
  const others = nodes(context.members).filter(({ name }) => name !== context.self.name);
  const found = placeOf(kept, {
    topology,
    nodes: count,
    disksPerNode,
    deployment: topology === "pool" ? await deploymentAmong(context, others, signal) : "",
    taken: others.flatMap((member) => {
      const slot = publishedBy(member)?.slot;
      return slot == null ? [] : [[slot, member.name] as const];
    }),
  });
  if (typeof found === "string") {
    throw refused("disk.not_ours", `the disks are not taken up: ${found}`, {
      remedy: "give disks that are free (chime-node disks), or erase these by your own hand: docs/minio.md",
    });
  }
  const silent = silentAmong(others).join(" and ");
  if (silent !== "") {
    throw refused("disk.not_ours", `whether the disks' place is free ${silent} has not said yet`, {
      remedy: "run this again in a moment; a node that is gone for good: chime-node remove",
    });
  }
  await rememberSlot(found.slot);
}

/** Pure: those that have a place, and have not said which since their agents were started. */
export function silentAmong(others: RoleContext["members"]): string[] {
  const placed = phases.indexOf("configured");
  return others
    .filter(({ phase }) => phases.indexOf(phase[roleName] ?? "joined") >= placed)
    .filter((member) => publishedBy(member) === null)
    .map(({ name }) => name);
}

/** By the word of the first that answers. */
async function deploymentAmong(
  context: RoleContext,
  others: RoleContext["members"],
  signal: AbortSignal,
): Promise<string> {
  let last = "no other node serves the store";
  for (const node of others) {
    try {
      const store = storeOf(node, context);
      const { deploymentID } = await askJson(
        store,
        "info",
        deploymentSchema,
        { method: "GET" },
        { timeoutMs, signal },
      );
      return deploymentID;
    } catch (error) {
      signal.throwIfAborted();
      last = toChimeError(error).message;
    }
  }
  throw refused("disk.not_ours", `whether the disks are of this store nobody can tell now: ${last}`, {
    remedy: "start the other nodes, or give disks that are free: chime-node disks",
  });
}

interface Expected {
  topology: "pool" | "mirror";
  nodes: number;
  disksPerNode: number;
  /** Of the store that the other nodes serve. */
  deployment: string;
  /** Places that other nodes have, with their names. */
  taken: readonly (readonly [slot: number, node: string])[];
}

/**
 * Pure: the place that these disks are of; else why they are not to be taken up. The engine counts all nodes before it
 * comes to the second drive.
 */
export function placeOf(kept: readonly KeptDisk[], expected: Expected): { slot: number } | string {
  const { topology, nodes: count, disksPerNode, deployment, taken } = expected;
  // Nobody knows which of two states that went apart is right, and two stores with data do not become a mirror.
  if (topology === "mirror") return "in a mirror the other store fills new ones";
  if (kept.length !== disksPerNode) return `they are ${kept.length}, and a node has ${disksPerNode}`;
  if (new Set(kept.map(({ label }) => label)).size < kept.length)
    return "two of them are one and the same disk's";
  const slots = new Set<number>();
  for (const { label, device, content } of kept) {
    const parsed = v.safeParse(formatSchema, content);
    if (!parsed.success) return `${device} carries no store's data that is understood`;
    const { id, xl } = parsed.output;
    if (id !== deployment) return `${device} is of another store (${id}, and this one is ${deployment})`;
    const drives = xl.sets.flat();
    const nth = drives.indexOf(xl.this);
    if (drives.length !== count * disksPerNode || nth < 0) return `${device} is of another layout`;
    if (labelOf(Math.floor(nth / count) + 1) !== label)
      return `${device} is called ${label}, and was another one's place`;
    slots.add((nth % count) + 1);
  }
  const [slot, other] = slots;
  if (slot === undefined || other !== undefined) return "they are of different nodes";
  const holder = taken.find(([place]) => place === slot);
  return holder ? `${holder[1]} has their place by now` : { slot };
}

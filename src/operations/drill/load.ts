import type { Clients } from "./clients.ts";

/** Clients that are let loose on a service while it is broken, with what they need before and after. */
export interface Load {
  /** What they change, as people call it. */
  readonly what: "rows" | "objects" | "points";
  readonly clients: Clients;
  /** Removes what a drill that was killed left, and makes what they need. @throws ChimeError `drill.running` (exit 3) */
  prepare(): Promise<void>;
  /** What is not as it was promised, when they are at rest. */
  compare(): Promise<Compared>;
  /** Leaves nothing of the drill. @throws ChimeError where that does not come to pass: the next drill does it */
  remove(): Promise<void>;
}

/** What clients were promised, against what was read under way and what each node's own server holds at the end. */
export interface Compared {
  /** By node: how much of what was acknowledged its own server does not hold as promised; null where it cannot be asked. */
  missing: Record<string, number | null>;
  /** How often a read under way gave something else than was promised. */
  misread: number;
  /** What of both the layout does not promise, and is not counted there; null where it promises all. */
  conceded: Conceded | null;
}

/** Of two stores that copy to each other a moment after the answer. */
export interface Conceded {
  /** Reads under way that gave an earlier state, or none yet. */
  older_reads: number;
  /** By node: objects whose deletion was acknowledged, and that came back. */
  undeleted: Record<string, number>;
}

/** What was acknowledged a moment ago is everywhere within milliseconds; who does not answer yet is given so long. */
const arriving = { withinMs: 10_000, everyMs: 100 };

/** Asks each node until nothing is missing, or its time is over. */
export function missingByNode(
  nodes: readonly { name: string; address: string }[],
  missingOn: (address: string) => Promise<number>,
  limits = arriving,
): Promise<Record<string, number | null>> {
  return foundByNode(nodes, missingOn, (count) => count === 0, limits);
}

/** Asks each node until it finds nothing wrong, or its time is over; null where it could not be asked at last. */
export async function foundByNode<T>(
  nodes: readonly { name: string; address: string }[],
  findOn: (address: string) => Promise<T>,
  isWell: (found: T) => boolean,
  { withinMs, everyMs } = arriving,
): Promise<Record<string, T | null>> {
  const all = nodes.map(async ({ name, address }) => {
    const giveUp = performance.now() + withinMs;
    let found: T | null = null;
    do {
      found = await findOn(address).catch(() => null);
      if (found !== null && isWell(found)) break;
      await Bun.sleep(everyMs);
    } while (performance.now() < giveUp);
    return [name, found] as const;
  });
  return Object.fromEntries(await Promise.all(all));
}

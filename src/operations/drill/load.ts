import type { Clients } from "./clients.ts";

/** Clients that are let loose on a service while it is broken, with what they need before and after. */
export interface Load {
  /** What they change, as people call it. */
  readonly what: "rows" | "objects" | "points";
  readonly clients: Clients;
  /** Removes what a drill that was killed left, and makes what they need. @throws ChimeError `drill.running` (exit 3) */
  prepare(): Promise<void>;
  /** By node: how much of what was acknowledged its own server does not hold as promised; null where it cannot be asked. */
  missing(): Promise<Record<string, number | null>>;
  /** How often a read under way gave something else than was promised. */
  misread(): number;
  /** Leaves nothing of the drill. @throws ChimeError where that does not come to pass: the next drill does it */
  remove(): Promise<void>;
}

/** What was acknowledged a moment ago is everywhere within milliseconds; who does not answer yet is given so long. */
const arriving = { withinMs: 10_000, everyMs: 100 };

/** Asks each node until nothing is missing, or its time is over. */
export async function missingByNode(
  nodes: readonly { name: string; address: string }[],
  missingOn: (address: string) => Promise<number>,
  { withinMs, everyMs } = arriving,
): Promise<Record<string, number | null>> {
  const counts = nodes.map(async ({ name, address }) => {
    const giveUp = performance.now() + withinMs;
    let count: number | null = null;
    do {
      count = await missingOn(address).catch(() => null);
      if (count === 0) break;
      await Bun.sleep(everyMs);
    } while (performance.now() < giveUp);
    return [name, count] as const;
  });
  return Object.fromEntries(await Promise.all(counts));
}

import type { Status } from "../../src/agent/status.ts";
import type { Stage } from "../../src/operations/drill/run.ts";
import type { CompareResult } from "../../src/operations/influxdb.ts";
import type { TwinStatus } from "../../src/roles/types.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabNode } from "./node.ts";
import type { PointLoad } from "./point-load.ts";
import { waitUntil } from "./wait.ts";

/** Clients try again at once; an outage that begins later is another one. */
const settleMs = 500;
/** A node that falls silent is given up after a second, a server that hangs is late twice. */
const silentMs = 4_000;
/** What nobody noticed is looked for each minute, up to 15 s ago, and is filled beside the clients of a busy machine, ms. */
const foundMs = 150_000;

/** What a lab can do to twins: always to the node that is read from. */
export const twinFaults = {
  kill: {
    name: "kill -9 of the server that is read from, on",
    settleMs,
    strike: (node) => node.kill("influxdb"),
  },
  power: {
    name: "power cut of the node that is read from,",
    settleMs,
    strike: (node) => node.powerOff(),
    mend: (node) => node.boot(),
  },
  cut: {
    name: "silent cut of the node that is read from,",
    settleMs: silentMs,
    strike: begun((node) => node.cutPort("silent")),
    mend: (node) => node.heal(),
  },
  hang: {
    name: "hang of the server that is read from, on",
    settleMs: silentMs,
    strike: begun((node) => node.pause("influxdb")),
    mend: async (node) =>
      void (await node.run(["systemctl", "kill", "--signal=CONT", "influxdb"], { check: false })),
  },
} satisfies Record<string, Fault>;

export type TwinFault = keyof typeof twinFaults;

interface Fault {
  name: string;
  settleMs: number;
  /** @returns when it was done, ms since the epoch */
  strike: (node: LabNode) => Promise<number>;
  mend?: (node: LabNode) => Promise<void>;
}

function begun(work: (node: LabNode) => Promise<unknown>): Fault["strike"] {
  return async (node) => {
    const at = Date.now();
    await work(node);
    return at;
  };
}

/** A drill in the lab: the same rounds as on a cluster that serves. */
export function twinStage(lab: Lab, load: PointLoad, gap?: (told: string) => void): Stage<TwinFault> {
  return {
    async strike(kind) {
      const fault: Fault = twinFaults[kind];
      const victim = await readFrom(lab);
      const at = await fault.strike(victim);
      const { settleMs, mend } = fault;
      return { victim: victim.name, at, settleMs, ...(mend && { mend: () => mend(victim) }) };
    },
    async untilLevel() {
      if (gap) await untilTold(lab, gap);
      await untilComplete(lab);
    },
    acknowledged: () => load.acknowledged(),
  };
}

/** The node that holds the VIP, as soon as there is one. */
export async function readFrom(lab: Lab): Promise<LabNode> {
  let holder: string | undefined;
  await waitUntil("a node to be read from", 30_000, async () => {
    const all = await statusesOf(lab);
    holder = all.map(({ vips }) => vips.find(({ role }) => role === "influxdb")?.holders[0]).find(Boolean);
    return holder !== undefined;
  });
  return lab.node(holder ?? "");
}

/** What the nodes say that run and whose agents answer: one that has just been started may not yet. */
async function statusesOf({ nodes }: Lab): Promise<Status[]> {
  const asked = nodes.map(async (node) => {
    if (!node.running) return [];
    const answer = await chime<Status>(node, ["status"]).catch(() => undefined);
    return answer && !answer.json.error ? [answer.json] : [];
  });
  return (await Promise.all(asked)).flat();
}

/** Tells what `status` says as soon as the one that was away is heard again. */
async function untilTold(lab: Lab, gap: (told: string) => void): Promise<void> {
  await waitUntil("a gap, or that all is well", 60_000, async () => {
    const all = await statusesOf(lab);
    const found = all.flatMap(({ problems }) => problems).find(({ code }) => code === "influxdb.gap");
    if (found) gap(`status: ${found.code}: ${found.message}`);
    return found !== undefined || (all.length > 0 && all.every(({ healthy }) => healthy));
  });
}

/** Both serve, and neither knows of anything that it lacks: as each of them sees it. */
export async function untilComplete(lab: Lab): Promise<void> {
  await waitUntilTwins(lab, "both to have everything", async () => {
    const all = await statusesOf(lab);
    return all.length === lab.nodes.length && all.every(isComplete);
  });
}

/** @throws Error with what the nodes say, and said lately */
export async function waitUntilTwins(lab: Lab, what: string, ask: () => Promise<boolean>): Promise<void> {
  await waitUntil(what, 400_000, ask, 100).catch(async (error: Error) => {
    const words =
      "chime-node status || :; journalctl -u chime-node -u influxdb -u keepalived --no-pager | tail -n 40";
    const running = lab.nodes.filter((node) => node.running);
    const told = await Promise.all(
      running.map(async (node) => `\n${node.name}:\n${(await node.sh(words, { check: false })).stdout}`),
    );
    throw new Error(`${error.message}${told.join("")}`);
  });
}

function isComplete({ healthy, roles }: Status): boolean {
  const { nodes } = roles["influxdb"] as TwinStatus;
  return healthy && nodes.every(({ state, complete }) => state === "serving" && complete);
}

/**
 * Nothing of what was written until now differs: to be asked when nobody writes any more. What nobody is sure of is no error in
 * `status`, and is compared all the same.
 */
export async function untilEqual(lab: Lab): Promise<void> {
  const words = ["influxdb", "compare", "--to", new Date().toISOString()];
  const isEqual = async () => (await chime<CompareResult>(lab.node("node1"), words)).json.gaps?.length === 0;
  await waitUntil("both to hold the same", foundMs, isEqual, 500);
}

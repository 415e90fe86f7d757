import type { Status } from "../../src/agent/status.ts";
import type { Stage } from "../../src/operations/drill/run.ts";
import { fullDisk, lastsSeconds } from "../../src/roles/drill-unit.ts";
import { isStore } from "../../src/roles/types.ts";
import { chime } from "./chime.ts";
import { place, users } from "../../src/roles/minio/layout.ts";
import type { Lab } from "./lab.ts";
import type { LabClients } from "./lab-clients.ts";
import { metric } from "./metrics.ts";
import type { LabNode } from "./node.ts";
import { applicationStore, rootPassword, useStore } from "./store.ts";
import { waitUntil } from "./wait.ts";

/** What is under way takes so long to find out; an outage that begins later is another one. */
const settleMs = 1_000;
/** The same of what lasts for some seconds, and ends by itself. */
const overMs = lastsSeconds * 1_000 + settleMs;

/** What a lab can do to a store, and to which node: the one that holds the VIP, or another. `what`: those that are promised the same. */
export const storeFaults = {
  kill: { what: "kill", name: "kill -9 of the server on the VIP's node", isHolder: true, ...killed() },
  "kill-other": { what: "kill", name: "kill -9 of the server on another node", isHolder: false, ...killed() },
  power: { what: "power", name: "power cut of the VIP's node", isHolder: true, ...powerCut() },
  "power-other": { what: "power", name: "power cut of another node", isHolder: false, ...powerCut() },
  "disk-pulled": { what: "pulled", name: "a disk of the VIP's node pulled", isHolder: true, ...pulled() },
  "disk-full": { what: "full", name: "a disk of another node full", isHolder: false, ...filled() },
} as const satisfies Record<string, Fault>;

export type StoreFault = keyof typeof storeFaults;

/** Those that a server does not survive. */
export const deadly = ["kill", "kill-other", "power", "power-other"] as const satisfies StoreFault[];

interface Fault extends Doing {
  what: "kill" | "power" | "pulled" | "full";
  name: string;
  isHolder: boolean;
}

interface Doing {
  settleMs: number;
  /** @returns when it was done, ms on the clock of `Date.now()` */
  strike: (node: LabNode) => Promise<number>;
  mend?: (node: LabNode) => Promise<void>;
}

function killed(): Doing {
  return { settleMs, strike: (node) => node.kill("minio") };
}

function powerCut(): Doing {
  return { settleMs, strike: (node) => node.powerOff(), mend: (node) => node.boot() };
}

/**
 * The file system answers whatever is asked of it with an error, as that of a disk that is gone does. Some seconds later it
 * is mounted again, as that of one that was put back.
 */
function pulled(): Doing {
  const again = `sleep ${lastsSeconds}
    umount --lazy "$1"
    systemctl start "$(systemd-escape --path --suffix=mount "$1")"`;
  return lasting(again, (node) => node.run(["xfs_io", "-x", "-c", "shutdown", place(1)]));
}

function filled(): Doing {
  return lasting(fullDisk);
}

/** @param script of the shell, which ends it by itself; `$1` is where the node's first disk is mounted */
function lasting(script: string, begin?: (node: LabNode) => Promise<unknown>): Doing {
  return {
    settleMs: overMs,
    strike: async (node) => {
      const at = Date.now();
      await begin?.(node);
      await node.run(["systemd-run", "--quiet", "--collect", "/bin/sh", "-c", script, "sh", place(1)]);
      return at;
    },
  };
}

/** A drill in the lab: the same rounds as on a cluster that serves. */
export function storeStage(lab: Lab, clients: LabClients): Stage<StoreFault> {
  return {
    async strike(kind) {
      const { isHolder, settleMs, strike, mend }: Fault = storeFaults[kind];
      const holder = await holderOf(lab);
      const victim = isHolder ? holder : lab.nodes.find((node) => node !== holder);
      if (!victim) throw new Error("there is one node alone");
      const at = await strike(victim);
      return { victim: victim.name, at, settleMs, ...(mend && { mend: () => mend(victim) }) };
    },
    async untilLevel() {
      await untilWhole(lab);
      await expire(lab);
    },
    acknowledged: () => clients.acknowledged(),
  };
}

/** What clients leave in hours comes together in minutes here, and each older state is looked at after a fault. */
async function expire(lab: Lab): Promise<void> {
  const node = asked(lab);
  const credentials = { accessKey: users.root, secretKey: await rootPassword(node) };
  const store = { ...(await applicationStore(node)), credentials };
  const { error } = await useStore(lab, { store, verb: "expire", key: "", patienceMs: 10_000 });
  if (error !== null) throw new Error(`older states are not deleted: ${error}`);
}

async function holderOf(lab: Lab): Promise<LabNode> {
  const node = asked(lab);
  const { json } = await chime<Status>(node, ["status"]);
  return lab.node(json.vips[0]?.holders[0] ?? "");
}

/** All drives are there, everything is on all of them, and every balancer gives every server requests. */
export async function untilWhole(lab: Lab): Promise<void> {
  let last = "";
  const isWhole = async () => {
    const node = asked(lab);
    const { json } = await chime<Status>(node, ["status"]);
    last = json.error?.message ?? json.problems.map(({ code }) => code).join(", ");
    const store = json.roles?.["minio"];
    if (!store || !isStore(store) || !json.healthy) return false;
    if (store.drives.online < store.drives.total || last.includes("minio.completing")) return false;
    const out = await Promise.all(lab.nodes.map(backendsOut));
    last = `backends that get no requests: ${out.join(", ")}`;
    return out.every((count) => count === 0);
  };
  await waitUntil("the store to be whole", 180_000, isWhole, 250).catch((error: Error) => {
    throw new Error(`${error.message} (${last || "no problem reported"})`);
  });
}

/** How many a node's balancer sends nothing. */
async function backendsOut(node: LabNode): Promise<number> {
  const lines = await metric(node, "chime_node_backend_up");
  return lines.length === 0 ? Number.NaN : lines.filter((line) => !line.endsWith(" 1")).length;
}

function asked(lab: Lab): LabNode {
  const node = lab.nodes.find((node) => node.running);
  if (!node) throw new Error("no node is running");
  return node;
}

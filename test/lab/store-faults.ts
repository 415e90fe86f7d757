import type { Status } from "../../src/agent/status.ts";
import type { Stage } from "../../src/operations/drill/run.ts";
import { isStore } from "../../src/roles/types.ts";
import { chime } from "./chime.ts";
import type { Lab } from "./lab.ts";
import type { LabClients } from "./lab-clients.ts";
import { metric } from "./metrics.ts";
import type { LabNode } from "./node.ts";
import { waitUntil } from "./wait.ts";

/** What a lab can do to a store, and to which node: the one that holds the VIP, or another. */
export const storeFaults = {
  kill: { name: "kill -9 of the server on the VIP's node", isHolder: true, isPower: false },
  "kill-other": { name: "kill -9 of the server on another node", isHolder: false, isPower: false },
  power: { name: "power cut of the VIP's node", isHolder: true, isPower: true },
  "power-other": { name: "power cut of another node", isHolder: false, isPower: true },
} as const;

export type StoreFault = keyof typeof storeFaults;

/** What is under way takes so long to find out; an outage that begins later is another one. */
const settleMs = 1_000;

/** A drill in the lab: the same rounds as on a cluster that serves. */
export function storeStage(lab: Lab, clients: LabClients): Stage<StoreFault> {
  return {
    async strike(kind) {
      const { isHolder, isPower } = storeFaults[kind];
      const holder = await holderOf(lab);
      const victim = isHolder ? holder : lab.nodes.find((node) => node !== holder);
      if (!victim) throw new Error("there is one node alone");
      const at = isPower ? await victim.powerOff() : await victim.kill("minio");
      const mend = isPower ? { mend: () => victim.boot() } : {};
      return { victim: victim.name, at, settleMs, ...mend };
    },
    untilLevel: () => untilWhole(lab),
    acknowledged: () => clients.acknowledged(),
  };
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

/**
 * The VIP room alone, without roles and agent. `apply SELF ADDRESS…`, compiled, in a node: node1, node2, … with these
 * addresses are the nodes of one VIP. `remove`: takes the VIP off this node. `ask ADDRESS…` on any machine: who has these,
 * and which VRRP routers are heard. `resign FROM TO INTERVAL`: tells
 * the router at TO that the one at FROM, with adverts at this interval in ms, has no part in it any more.
 */
import { whoHas } from "../../src/host/arp.ts";
import { readFacts } from "../../src/host/facts.ts";
import { listenVrrp } from "../../src/host/vrrp.ts";
import { resign } from "../../src/host/vrrp-resign.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { apply } from "../../src/plan/run.ts";
import { removeAddress } from "../../src/vip/holder.ts";
import { vipResources } from "../../src/vip/resources.ts";
import { virtualRouterId } from "../../src/vip/vrid.ts";
import { context, member } from "../vip/fixtures.ts";

export const vip = "10.77.0.30";

if (import.meta.main) {
  const [verb = "", ...rest] = process.argv.slice(2);
  const verbs: Record<string, () => Promise<unknown>> = {
    apply: () => applyVip(rest),
    remove: () => removeAddress(vip, "eth0"),
    ask: () => ask(rest),
    resign: () => resignAs(rest),
  };
  console.log(JSON.stringify(await verbs[verb]?.()));
}

async function applyVip([name, ...addresses]: string[]) {
  const members = addresses.map((address, i) => member(`node${i + 1}`, i + 1, address));
  const self = members.find((candidate) => candidate.name === name);
  if (!self) throw new Error(`${name} is none of the nodes`);
  const requests = [{ name: "mysql", address: vip, nodes: members }];
  const { installed, configured } = vipResources({
    context: context({ self, members, facts: await readFacts() }),
    requests,
  });
  const outcome = await apply([...installed, ...configured], await openLedger(), {
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  return {
    changed: outcome.changes.map(({ resource, impact }) => `${resource} ${impact}`),
    failed: outcome.failed.map(({ error }) => error.message),
  };
}

async function resignAs([from = "", to = "", intervalMs]: string[]) {
  const virtualRouter = virtualRouterId(context().cluster.id, "mysql");
  resign({ virtualRouterId: virtualRouter, intervalMs: Number(intervalMs), from, to, address: vip });
}

async function ask(addresses: string[]) {
  const [answers, routers] = await Promise.all([whoHas(addresses, "eth0"), listenVrrp("eth0", 1200)]);
  return { answers: [...answers.keys()].sort(), routers };
}

/**
 * VIP and balancer alone, without roles and agent, compiled, in a node: `apply SELF ADDRESS…`, where node1, node2, … have
 * these addresses. `view`: what the node's balancer thinks of its backends. `watch SELF ADDRESS…`: cuts off those that
 * vanish, as an agent does that hears of nobody. `agent`: before haproxy stops; `move`: before the VIP is given up; `start`: as an agent starts. `connections` to the VIP, and `tickle JSON` of such a list.
 */
import { drain, isConnected } from "../../src/agent/drain.ts";
import { hostNetwork, Vanished } from "../../src/agent/vanished.ts";
import { readFacts } from "../../src/host/facts.ts";
import { connectionsTo } from "../../src/host/tcp.ts";
import { tickle } from "../../src/host/tickle.ts";
import { openLedger } from "../../src/plan/ledger.ts";
import { apply } from "../../src/plan/run.ts";
import { haproxy } from "../../src/vip/balancer/haproxy.ts";
import { vipResources } from "../../src/vip/resources.ts";
import { releaseLocksOf } from "../../src/roles/minio/locks.ts";
import { balancedServices } from "../../src/roles/minio/balanced.ts";
import { holdsAddress } from "../../src/vip/holder.ts";
import { writeEligible } from "../../src/vip/track.ts";
import { context, member } from "../vip/fixtures.ts";

export const vip = "10.77.0.50";

if (import.meta.main) {
  const [verb = "", ...rest] = process.argv.slice(2);
  const verbs: Record<string, () => Promise<unknown>> = {
    apply: () => applyBalancer(rest),
    view: () => haproxy.view(),
    agent: () => drainHere(),
    move: () => drainHere(),
    start: () => haproxy.endStopped(),
    watch: () => watch(rest),
    connections: () => connectionsTo(vip, 100),
    tickle: () => Promise.resolve(tickle(JSON.parse(rest[0] ?? "[]"))),
  };
  console.log(JSON.stringify(await verbs[verb]?.()));
}

/** What the agent does as haproxy's unit stops, or the VIP is given up on purpose. */
async function drainHere(): Promise<void> {
  let here = await holdsAddress(vip);
  const held = {
    role: "minio",
    address: vip,
    ports: [9000, 9001],
    isHere: () => here,
    leave: () => writeEligible("minio", false),
  };
  const looking = setInterval(() => void holdsAddress(vip).then((holds) => (here = holds)), 10);
  await drain([held], () => haproxy.find(), isConnected);
  clearInterval(looking);
}

async function watch([name, ...addresses]: string[]): Promise<never> {
  const others = addresses.flatMap((address, i) =>
    `node${i + 1}` === name ? [] : [{ node: `node${i + 1}`, address, port: 9000, state: "suspect" as const }],
  );
  const credentials = { accessKey: "labadmin", secretKey: "labadminsecret" };
  const self = { address: addresses[Number(name?.at(-1)) - 1] ?? "", port: 9000, credentials };
  const network = hostNetwork(await readFacts());
  const vanished = new Vanished(
    network,
    () => others,
    async (node) => {
      const owner = `${addresses[Number(node.at(-1)) - 1]}:9000`;
      console.log(`${node}: ${await releaseLocksOf(self, owner, { timeoutMs: 3_000 })} locks`);
    },
  );
  for (;;) {
    await vanished.look().catch((error: unknown) => console.log(error));
    await Bun.sleep(100);
  }
}

async function applyBalancer([name, ...addresses]: string[]) {
  const members = addresses.map((address, i) => member(`node${i + 1}`, i + 1, address));
  const self = members.find((candidate) => candidate.name === name);
  if (!self) throw new Error(`${name} is none of the nodes`);
  const here = context({ self, members, facts: await readFacts() });
  const of = { context: here, requests: [{ name: "minio", address: vip, nodes: members }] };
  const services = balancedServices({ vip, nodes: members });
  const parts = [vipResources(of), haproxy.resources({ context: here, services })];
  const resources = parts.flatMap(({ installed, configured }) => [...installed, ...configured]);
  const outcome = await apply(resources, await openLedger(), {
    signal: new AbortController().signal,
    progress: () => undefined,
  });
  return {
    changed: outcome.changes.map(({ resource, impact }) => `${resource} ${impact}`),
    failed: outcome.failed.map(({ error }) => error.message),
  };
}

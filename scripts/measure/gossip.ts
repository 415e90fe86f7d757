import { percentiles } from "../../src/operations/drill/histogram.ts";
import { seeded } from "../../test/cluster/support.ts";
import { SimCluster } from "../../test/sim/cluster.ts";
import { fair, type Weather } from "../../test/sim/network.ts";
import type { Row } from "./row.ts";

const nodes = 256;
/** What a datagram has beside the packet's JSON: the headers of IP and UDP, and the seal. */
const overheadBytes = 28 + 45;
/** So many nodes stand still every so often, each for up to so long; ms. */
const pauses = { nodes: 5, every: 2_000, most: 2_000 };

/** The engine with 256 simulated nodes, without crypto. Times are simulated; a change takes 0.5 to 1 ms from node to node. */
export function measureGossip(quick: boolean, progress: (line: string) => void): Row[] {
  const runs = quick ? 20 : 100;
  const minutes = quick ? 3 : 60;
  const step = (line: string) => progress(`gossip: ${line}`);
  step(`${runs} changes`);
  const clean = changes(fair, runs);
  step(`${runs} changes, a tenth of the packets lost`);
  const lossy = changes({ ...fair, loss: 0.1 }, runs);
  step(`${runs} nodes die`);
  const dead = deaths(runs);
  step("at rest");
  const { kilobytes, speed } = rest(quick ? 20 : 120);
  step(`${minutes} minutes with pauses`);
  const wrong = falseDeaths(minutes);
  return [
    p99("a change known everywhere", clean, 0.9),
    p99("a change known everywhere, 10 % loss", lossy, 1.3),
    { name: "a dead node known everywhere", values: dead, unit: "s", target: 4, spread: "percentiles" },
    p99("a dead node known everywhere", dead, 6),
    { name: `false deaths in ${minutes} min, 5 % loss, pauses`, values: [wrong], unit: "deaths", target: 0 },
    { name: "a node at rest sends", values: [kilobytes], unit: "KB/s", target: null },
    { name: "a node at rest sends and receives", values: [2 * kilobytes], unit: "KB/s", target: 2 },
    { name: "simulated seconds a real one", values: [speed], unit: "×", target: 20, atLeast: true },
  ];
}

function p99(name: string, values: readonly number[], target: number): Row {
  return { name: `${name}, p99`, values: [percentiles(values).p99], unit: "s", target };
}

/** In which everybody has met everybody, and what there was to say is said. */
function settled(seed: number, weather: Weather): SimCluster {
  const cluster = new SimCluster(nodes, seeded(seed));
  cluster.start();
  cluster.network.weather = weather;
  if (cluster.runUntil(60_000, () => cluster.disagreement(cluster.running) === undefined) === undefined)
    throw new Error(`the simulated cluster came to no agreement: ${cluster.disagreement(cluster.running)}`);
  cluster.run(15_000);
  return cluster;
}

/** Seconds until the last node has it. */
function changes(weather: Weather, runs: number): number[] {
  const cluster = settled(1, weather);
  return Array.from({ length: runs }, (_, i) => {
    const since = cluster.agenda.now;
    let last = since;
    let told = 0;
    cluster.stored = () => {
      last = cluster.agenda.now;
      told++;
    };
    cluster.node(1 + (i % nodes)).update("spec", "s".repeat(500));
    if (cluster.runUntil(60_000, () => told === nodes) === undefined)
      throw new Error(`a change reached ${told} of ${nodes} nodes`);
    // Nobody's rounds are in step with the next change.
    cluster.run(5_000 + 1_000 * cluster.random());
    return (last - since) / 1000;
  });
}

/** Seconds until the last of the others holds it dead. */
function deaths(runs: number): number[] {
  const cluster = settled(2, fair);
  return Array.from({ length: runs }, (_, i) => {
    const victim = cluster.node(1 + (i % nodes));
    const since = cluster.agenda.now;
    const knowing = new Set<number>();
    let last = since;
    cluster.changed = (node) => {
      if (node.engine?.state(victim.index) !== "dead") return;
      knowing.add(node.index);
      last = cluster.agenda.now;
    };
    victim.stop();
    if (cluster.runUntil(60_000, () => knowing.size === nodes - 1) === undefined)
      throw new Error(`a death is known to ${knowing.size} of ${nodes - 1}`);
    cluster.changed = undefined;
    victim.start();
    cluster.run(5_000 + 1_000 * cluster.random());
    return (last - since) / 1000;
  });
}

function rest(seconds: number): { kilobytes: number; speed: number } {
  const cluster = settled(3, fair);
  let bytes = 0;
  cluster.sent = (_, __, packet) => (bytes += JSON.stringify(packet).length + overheadBytes);
  cluster.run(20_000);
  cluster.sent = undefined;
  const start = process.cpuUsage();
  cluster.run(seconds * 1000);
  const { user, system } = process.cpuUsage(start);
  return { kilobytes: bytes / 1000 / 20 / nodes, speed: seconds / ((user + system) / 1e6) };
}

/** How often anybody held a node dead that lived. */
function falseDeaths(minutes: number): number {
  const cluster = settled(4, { ...fair, loss: 0.05 });
  const held = new Map(cluster.nodes.map((node) => [node, new Set<number>()]));
  let count = 0;
  cluster.changed = (node) => {
    const before = held.get(node) ?? new Set();
    const dead = new Set(cluster.members.filter((index) => node.engine?.state(index) === "dead"));
    for (const index of dead) if (!before.has(index)) count++;
    held.set(node, dead);
  };
  for (let ms = 0; ms < minutes * 60_000; ms += pauses.every) {
    for (let i = 0; i < pauses.nodes; i++)
      cluster.node(1 + Math.floor(cluster.random() * nodes)).pause(pauses.most * cluster.random());
    cluster.run(pauses.every);
  }
  return count;
}

import { retransmissions } from "../../src/cluster/gossip/dissemination.ts";
import type { Packet, Statement } from "../../src/cluster/gossip/types.ts";
import { seeded } from "../cluster/support.ts";
import { SimCluster } from "./cluster.ts";
import { Faults } from "./faults.ts";
import type { SimNode } from "./node.ts";

export interface Outcome {
  failures: readonly string[];
  /** What happened last. */
  tail: readonly string[];
  /** Ms until all agreed, each time that they had to. */
  agreedAfter: number[];
}

/** How many events a failing seed tells. */
const tailLines = 60;
/**
 * Within which all that can reach each other agree: to ask everybody once, each probe taking up to nine times as long in bad
 * health, and a suspicion that nobody confirms.
 */
function boundMs(members: number): number {
  return 30_000 + members * 400 * 9;
}

/** A cluster of up to `most` members meets with what this seed has for it. */
export function play(seed: number, most: number, traced = false): Outcome {
  const random = seeded(seed);
  const size = 2 + Math.floor((most - 1) * random() ** 2);
  const cluster = new SimCluster(size, random);
  const faults = new Faults(cluster);
  const tail: string[] = [];
  const agreedAfter: number[] = [];
  const repeats = new Repeats(cluster);
  if (traced) {
    cluster.trace = (line) => {
      tail.push(`${cluster.agenda.now.toFixed(1).padStart(10)} ms  ${line}`);
      if (tail.length > tailLines) tail.shift();
    };
  }
  cluster.sent = (from, to, packet) => {
    faults.record(from, to, packet);
    repeats.sent(from, to, packet);
  };
  const agree = (group: readonly SimNode[], what: string) => {
    const limit = boundMs(size);
    const after = cluster.runUntil(limit, () => cluster.disagreement(group) === undefined);
    if (after === undefined)
      cluster.broken(`${what}: no agreement after ${limit} ms: ${cluster.disagreement(group)}`);
    else agreedAfter.push(after);
  };
  const stop = () => cluster.failures.length > 0;

  cluster.network.weather = {
    loss: random() < 0.3 ? 0 : 0.3 * random(),
    delayMs: 0.2 + 20 * random() ** 4,
    jitterMs: 100 * random() ** 4,
    twice: random() < 0.5 ? 0 : 0.1 * random(),
  };
  cluster.start();
  cluster.run(3_000);
  const until = cluster.agenda.now + 20_000;
  while (cluster.agenda.now < until && !stop()) {
    faults.strike();
    cluster.run(1_500 * random());
  }
  if (!stop() && random() < 0.3) {
    cluster.network.heal();
    const part = faults.split();
    cluster.run(8_000);
    const half = cluster.running.filter((node) => part.includes(node));
    agree(half, "in a part of the network");
  }
  cluster.network.heal();
  // Those that were stopped a moment ago may still come back.
  cluster.run(8_000);
  for (const node of cluster.nodes) if (!node.engine && random() < 0.5) node.start();
  if (!stop()) agree(cluster.running, "after healing");
  if (!stop()) {
    const running = cluster.running;
    cluster.run(5_000);
    for (const a of running) {
      for (const b of running)
        if (a.engine?.state(b.index) === "dead") cluster.broken(`${a.index} holds ${b.index} dead again`);
    }
  }
  return { failures: cluster.failures, tail, agreedAfter };
}

/** No member passes anything on more often than it is to. */
class Repeats {
  private readonly cluster: SimCluster;
  private readonly limit: number;
  private readonly count = new Map<string | number, number>();

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
    this.limit = retransmissions(cluster.nodes.length);
  }

  sent(from: number, to: number, { news, statements }: Packet): void {
    const agent = from * 64 + this.cluster.node(from).life;
    for (const { key, version } of news) this.add(`${agent} ${key} ${version}`);
    for (const said of statements) {
      // Whom it is about is told each time, so that it can refute.
      if (said.index !== to) this.add(nameOf(agent, said));
    }
  }

  private add(what: string | number): void {
    const times = (this.count.get(what) ?? 0) + 1;
    this.count.set(what, times);
    // Where a slander was set right, what had been passed on before it may be news once more.
    if (times > (this.cluster.isLiedTo ? 2 : 1) * this.limit)
      this.cluster.broken(`${what} is passed on for the ${times}th time`);
  }
}

/** A number where it fits: there are many. */
function nameOf(agent: number, { index, state, incarnation, from }: Statement): string | number {
  if (incarnation >= 1024 || agent >= 2 ** 15) return `${agent} ${index} ${state} ${incarnation} by ${from}`;
  const which = state === "alive" ? 0 : state === "suspect" ? 1 : 2;
  return (((agent * 512 + index) * 4 + which) * 512 + from) * 1024 + incarnation;
}

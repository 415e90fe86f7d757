import type { Packet, Way } from "../../src/cluster/gossip/types.ts";
import { Agenda } from "./agenda.ts";
import { Network } from "./network.ts";
import { SimNode, type Sealing, type World } from "./node.ts";

/** A simulated cluster whose members know of each other and of nothing else yet. */
export class SimCluster implements World {
  readonly agenda = new Agenda();
  readonly network: Network;
  readonly random: () => number;
  readonly members: readonly number[];
  readonly nodes: readonly SimNode[];
  /** Rules that were broken. */
  readonly failures: string[] = [];
  /** A stolen node has said what it likes. */
  isLiedTo = false;
  sealing: Sealing | undefined;
  trace: ((line: string) => void) | undefined;
  sent: ((from: number, to: number, packet: Packet, way: Way) => void) | undefined;
  stored: ((node: number, key: string, version: number) => void) | undefined;
  changed: ((node: SimNode) => void) | undefined;

  constructor(size: number, random: () => number) {
    this.random = random;
    this.members = Array.from({ length: size }, (_, i) => i + 1);
    this.network = new Network(this.agenda, random, size);
    this.nodes = this.members.map((index) => new SimNode(this, index));
    for (const node of this.nodes) {
      for (const index of this.members) node.store(`record.${index}`, 1, 0);
    }
  }

  /** All agents start within a second. */
  start(): void {
    for (const node of this.nodes) this.agenda.after(1000 * this.random(), () => node.start());
  }

  readonly node = (index: number): SimNode => this.nodes[index - 1] as SimNode;

  get running(): SimNode[] {
    return this.nodes.filter((node) => node.engine);
  }

  broken(what: string): void {
    if (this.failures.length < 10) this.failures.push(`${Math.round(this.agenda.now)} ms: ${what}`);
  }

  run(ms: number): void {
    this.agenda.runUntil(this.agenda.now + ms);
  }

  /** Time until it is so; undefined: not within the limit. */
  runUntil(limitMs: number, so: () => boolean): number | undefined {
    const start = this.agenda.now;
    for (; !so(); this.run(100)) if (this.agenda.now - start >= limitMs) return undefined;
    return this.agenda.now - start;
  }

  /** What keeps these from agreeing: they hold each other alive, the rest dead, and have the same items. */
  disagreement(group: readonly SimNode[]): string | undefined {
    const [first] = group;
    for (const node of group) {
      if (node.digest() !== first?.digest()) return `${node.index} and ${first?.index} have different items`;
      for (const { index } of this.nodes) {
        const state = node.engine?.state(index) ?? "dead";
        const expected = group.includes(this.node(index)) ? "alive" : "dead";
        if (state !== expected) return `${node.index} holds ${index} ${state}, which should be ${expected}`;
      }
    }
    return undefined;
  }
}

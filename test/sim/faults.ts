import type { Packet, Statement } from "../../src/cluster/gossip/types.ts";
import type { SimCluster } from "./cluster.ts";
import type { SimNode } from "./node.ts";

/** Bad luck and bad will, drawn from the cluster's random numbers. All times are ms. */
export class Faults {
  private readonly cluster: SimCluster;
  /** Packets that somebody wrote down, to send them again. */
  private readonly recorded: { packet: Packet; from: number; to: number }[] = [];

  private mover: SimNode | undefined;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  record(from: number, to: number, packet: Packet): void {
    if (this.recorded.length < 64) this.recorded.push({ packet, from, to });
    else if (this.below(50) === 0) this.recorded[this.below(64)] = { packet, from, to };
  }

  /** One thing that goes wrong, or that somebody does. */
  strike(): void {
    const { cluster } = this;
    const node = this.anybody();
    const other = this.anybody();
    const kinds: (() => void)[] = [
      () => this.update(node),
      () => this.update(node),
      () => node.pause(100 + cluster.random() * 5_000),
      () => this.restart(node),
      () => this.move(node),
      () => node.jump((cluster.random() - 0.3) * 10 ** (2 + this.below(5))),
      () => this.split(),
      () => cluster.network.cut(node.index, other.index),
      () => cluster.network.blockUdp(node.index),
      () => cluster.network.heal(),
      () => this.replay(),
      () => this.replay(),
      () => this.lie(node, other),
      () => this.intrude(node),
    ];
    kinds[this.below(kinds.length)]?.();
  }

  /** A network in two parts. @returns one of them */
  split(): SimNode[] {
    const { cluster } = this;
    const side = cluster.nodes.map(() => cluster.random() < 0.5);
    for (const [i, a] of cluster.nodes.entries()) {
      for (const [j, b] of cluster.nodes.entries())
        if (side[i] !== side[j]) cluster.network.cut(a.index, b.index);
    }
    const part = cluster.nodes.filter((_, i) => side[i]);
    cluster.trace?.(`the network is in two parts: ${part.map(({ index }) => index).join(", ")} in one`);
    return part;
  }

  /** Now and then one that is too large for a datagram. */
  update(node: SimNode): void {
    if (node.engine) node.update(`fact.${node.index}`, "f".repeat(this.below(4) === 0 ? 3_000 : 100));
  }

  /** One alone: two that move at once while they do not see each other have no way to find each other again. */
  private move(node: SimNode): void {
    this.mover ??= node;
    if (this.mover.engine) this.mover.move();
  }

  private restart(node: SimNode): void {
    if (!node.engine) return node.start();
    node.stop();
    if (this.below(3) > 0) {
      this.cluster.agenda.after(this.cluster.random() * 8_000, () => node.engine ?? node.start());
    }
  }

  private replay(): void {
    const { cluster, recorded } = this;
    for (let i = 0; i < 20 && recorded.length > 0; i++) {
      const old = recorded[this.below(recorded.length)];
      if (!old) continue;
      const to = this.below(2) === 0 ? cluster.node(old.to) : this.anybody();
      if (to.index !== old.from) to.datagram(old.packet, old.from);
    }
  }

  /** A stolen node that says what it likes. */
  private lie(liar: SimNode, to: SimNode): void {
    if (liar === to) return;
    this.cluster.isLiedTo = true;
    const { random } = this.cluster;
    const statements = Array.from({ length: 12 }, (): Statement => {
      const incarnation = random() < 0.5 ? 1 + this.below(10) : Math.floor(10 ** (15 * random()));
      const state = (["alive", "suspect", "dead"] as const)[this.below(3)] ?? "dead";
      return { index: this.anybody().index, state, incarnation, from: this.anybody().index };
    });
    to.datagram({ kind: "gossip", incarnation: 1, digest: "?", statements, news: [] }, liar.index);
  }

  /** Somebody who is no member. */
  private intrude(to: SimNode): void {
    const stranger = this.cluster.nodes.length + 1;
    const said: Statement = { index: this.anybody().index, state: "dead", incarnation: 99, from: stranger };
    const news = [{ key: `fact.${to.index}`, version: "99", body: "forged" }];
    const answer = to.receive(
      { kind: "ping", seq: 1, incarnation: 1, digest: "?", statements: [said], news },
      stranger,
      "udp",
    );
    if (answer) this.cluster.broken(`${to.index} answers a stranger`);
  }

  private anybody(): SimNode {
    return this.cluster.node(1 + this.below(this.cluster.nodes.length));
  }

  private below(limit: number): number {
    return Math.floor(this.cluster.random() * limit);
  }
}

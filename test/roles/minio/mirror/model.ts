import {
  ended,
  judge,
  newStanding,
  settle,
  type Mate,
  type Standing,
} from "../../../../src/roles/minio/mirror/standing.ts";

interface Write {
  by: number;
  /** The other store did not follow: it was down, behind, or not reached. */
  isAlone: boolean;
}

class Node {
  isUp = true;
  /** Agent and machine. */
  isAlive = true;
  standing: Standing = newStanding;
  readonly holds = new Set<Write>();
  /** What the engine has not sent yet, and forgets when it cannot. */
  queue: Write[] = [];
  /** What the other one was last heard to say; null after a start of the agent. */
  heard: Standing | null = null;
}

/** Two stores with their guards, a network and a VIP between them, in steps of a second. Events are chance, the rules are ours. */
export class MirrorModel {
  readonly nodes: [Node, Node] = [new Node(), new Node()];
  readonly writes: Write[] = [];
  isCut = false;
  /** The stores do not reach each other, the agents do. */
  isUnlinked = false;
  #holder = 0;
  #now = 0;

  /** Who has the VIP: one of those that may, or each of them while they do not hear each other. */
  holders(): number[] {
    const may = [0, 1].filter((nth) => this.#mayServe(nth));
    if (this.isCut) return may;
    this.#holder = may.includes(this.#holder) ? this.#holder : (may[0] ?? this.#holder);
    return may.filter((nth) => nth === this.#holder);
  }

  strike(event: string): void {
    const node = this.#at(Number(event.at(-1)));
    if (event.startsWith("kill")) this.#end(node);
    if (event.startsWith("power")) {
      this.#end(node);
      node.isAlive = false;
      node.heard = null;
    }
    if (event.startsWith("boot")) node.isAlive = node.isUp = true;
    if (event.startsWith("start") && node.isAlive) node.isUp = true;
    if (event.startsWith("agent")) node.heard = null;
    if (event === "cut") this.isCut = true;
    if (event === "heal") this.isCut = false;
    if (event === "move") this.#holder = 1 - this.#holder;
    if (event === "unlink") this.isUnlinked = true;
    if (event === "link") this.isUnlinked = false;
  }

  step(): void {
    this.#now++;
    this.#copy();
    this.#tell();
    for (const nth of [0, 1]) this.#settle(nth);
    const holders = this.holders();
    for (const nth of holders) this.#settle(nth, true);
    for (const nth of holders) this.#write(nth);
    for (const nth of [0, 1]) this.#level(nth);
  }

  #at = (nth: number): Node => this.nodes[nth === 0 ? 0 : 1];

  #end(node: Node): void {
    node.isUp = false;
    node.standing = { ...node.standing, ...ended };
    node.queue = [];
  }

  #mayServe(nth: number): boolean {
    const node = this.#at(nth);
    return node.isAlive && node.isUp && node.standing.current;
  }

  #mate(nth: number): Mate {
    const { isAlive } = this.#at(1 - nth);
    const isFirst = nth === 1;
    return { alive: isAlive && !this.isCut, isSetUp: true, isFirst, said: this.#at(nth).heard };
  }

  #tell(): void {
    if (this.isCut || !this.nodes.every(({ isAlive }) => isAlive)) return;
    for (const nth of [0, 1]) this.#at(nth).heard = this.#at(1 - nth).standing;
  }

  #settle(nth: number, hasVip = this.holders().includes(nth)): void {
    const node = this.#at(nth);
    if (!node.isAlive) return;
    const situation = { isUp: node.isUp, hasVip, mate: this.#mate(nth), isLinked: !this.isUnlinked };
    node.standing = settle(node.standing, { ...situation, now: `second ${this.#now} of ${nth}` });
  }

  #write(nth: number): void {
    const [node, other] = [this.#at(nth), this.#at(1 - nth)];
    if (!this.#mayServe(nth)) return;
    const { current, levelled } = other.standing;
    const follows = current || (levelled !== null && levelled === node.standing.agreed);
    const write = { by: nth, isAlone: !follows || this.isUnlinked };
    this.writes.push(write);
    node.holds.add(write);
    node.queue.push(write);
  }

  #copy(): void {
    const reach = !this.isCut && !this.isUnlinked && this.nodes.every(({ isUp }) => isUp);
    for (const nth of [0, 1]) {
      if (reach) for (const write of this.#at(nth).queue) this.#at(1 - nth).holds.add(write);
      this.#at(nth).queue = [];
    }
  }

  #level(nth: number): void {
    const [node, other] = [this.#at(nth), this.#at(1 - nth)];
    if (this.isCut || this.isUnlinked || !node.isUp || !other.isUp || !node.isAlive || !other.isAlive) return;
    const alone = node.heard?.alone ?? null;
    if (alone === null || alone === node.standing.levelled) return;
    if (judge(node.standing, this.#mate(nth)) !== "behind") return;
    for (const write of this.writes) {
      if (!node.holds.has(write) && !other.holds.has(write)) continue;
      node.holds.add(write);
      other.holds.add(write);
    }
    node.standing = { ...node.standing, levelled: alone, alone: null, active: false };
  }

  /** It lacks what the other one took alone. */
  isStale(nth: number): boolean {
    const { holds } = this.#at(nth);
    return this.writes.some((write) => write.by !== nth && write.isAlone && !holds.has(write));
  }

  /** All but what is under way is on both, and both may serve. */
  get isWhole(): boolean {
    const [one, other] = this.nodes;
    const settled = this.writes.filter((write) => !one.queue.includes(write) && !other.queue.includes(write));
    const isLevel = settled.every((write) => one.holds.has(write) && other.holds.has(write));
    const isCurrent = this.nodes.every(({ standing }) => standing.current && standing.alone === null);
    return isLevel && isCurrent;
  }
}

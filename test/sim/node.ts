import { Gossip } from "../../src/cluster/gossip/gossip.ts";
import type { News, Packet, Statement, Way } from "../../src/cluster/gossip/types.ts";
import type { Agenda } from "./agenda.ts";
import type { Network } from "./network.ts";

/** What nodes of a simulation share with it. */
export interface World {
  agenda: Agenda;
  network: Network;
  random: () => number;
  node: (index: number) => SimNode;
  members: readonly number[];
  /** Undefined: packets come as they are, and who sent them is known. */
  sealing: Sealing | undefined;
  /** A rule of the engine, or of its use, was broken. */
  broken: (what: string) => void;
  /** What just happened, for the tail that a failing seed prints. */
  trace: ((line: string) => void) | undefined;
  sent: ((from: number, to: number, packet: Packet, way: Way) => void) | undefined;
  stored: ((node: number, key: string, version: number) => void) | undefined;
  /** A node holds somebody alive, suspect or dead who was not. */
  changed: ((node: SimNode) => void) | undefined;
}

/** Seals what a node sends, and opens what it gets. */
export interface Sealing {
  seal(from: number, to: number, packet: Packet): Uint8Array;
  /** Undefined: it was refused. */
  open(to: number, bytes: Uint8Array): { packet: Packet; from: number } | undefined;
}

interface Item {
  version: number;
  /** Of `record.N`: where N listens. Of large items: so much that a datagram does not hold it. */
  body: unknown;
}

/** Datagrams that a paused process finds when it goes on: a socket holds no more. */
const socketHolds = 200;
/** Of an engine, whatever comes: two queues, what others asked, what is fetched, its own probes. */
const mostHeld = 3 * 1_024 + 256 + 64;
/** A call over TCP ends after that long. */
const callMs = 3_000;

/** A host of the engine: a map of items with versions, a place in the network, a process that pauses and restarts. */
export class SimNode {
  readonly index: number;
  private readonly world: World;
  readonly items = new Map<string, Item>();
  private gossip: Gossip | undefined;
  private incarnation = 0;
  /** Where it listens; it may move. */
  private address = 0;
  /** Where each listens, as this node knows it: the bodies of `record.N`, by N. */
  private readonly addresses: unknown[] = [];
  private checksum = 0;
  private digested = "";
  private pausedUntil = 0;
  private waiting: (() => void)[] = [];
  /** What its clock is off by. */
  private offset = 0;
  /** Counts its agents: a wake-up, and an answer, may be for an old one. */
  life = 0;

  constructor(world: World, index: number) {
    this.world = world;
    this.index = index;
  }

  get engine(): Gossip | undefined {
    return this.gossip;
  }

  get paused(): boolean {
    return this.world.agenda.now < this.pausedUntil;
  }

  /** Equal on nodes with the same items. */
  digest(): string {
    return (this.digested ||= this.checksum.toString(36));
  }

  start(): void {
    const { world, index } = this;
    const { agenda, random } = world;
    this.life++;
    this.incarnation++;
    this.pausedUntil = 0;
    this.waiting = [];
    const toAddress = (to: number) => this.addresses[to];
    this.gossip = new Gossip({
      self: index,
      incarnation: this.incarnation,
      now: () => agenda.now + this.offset,
      random,
      digest: () => this.digest(),
      send: (to, packet) => {
        world.sent?.(index, to, packet, "udp");
        if (toAddress(to) === world.node(to).address) this.sendTo(to, packet);
      },
      sendByTcp: (to, packet) => {
        world.sent?.(index, to, packet, "tcp");
        if (toAddress(to) !== world.node(to).address) return;
        this.call(
          to,
          (peer) => peer.receive(packet, index, "tcp"),
          (answer) => {
            if (answer) this.receive(answer, to, "tcp");
          },
        );
      },
      exchange: (with_) => {
        if (toAddress(with_) === world.node(with_).address) this.exchange(with_);
      },
      has: (key, version) => (this.items.get(key)?.version ?? 0) >= Number(version),
      deliver: (item) => this.store(item.key, Number(item.version), item.body),
      fetch: (key, from) => this.fetch(key, from),
      changed: () => {
        world.changed?.(this);
        world.trace?.(`${index} sees ${this.view()}`);
      },
    });
    this.gossip.sync(world.members);
    this.tick(this.life);
    world.trace?.(`${index} starts, incarnation ${this.incarnation}`);
  }

  stop(): void {
    this.gossip = undefined;
    this.life++;
    this.world.trace?.(`${this.index} stops`);
  }

  pause(ms: number): void {
    if (!this.gossip || this.paused) return;
    this.pausedUntil = this.world.agenda.now + ms;
    this.world.trace?.(`${this.index} pauses for ${Math.round(ms)} ms`);
    const { life } = this;
    this.world.agenda.after(ms, () => {
      if (life === this.life) for (const run of this.waiting.splice(0)) run();
    });
  }

  /** Its clock jumps, forward or back. */
  jump(ms: number): void {
    this.offset += ms;
    this.world.trace?.(`${this.index}: its clock jumps by ${Math.round(ms)} ms`);
  }

  /** Moves to another address; it tells the others by its record. */
  move(): void {
    this.address++;
    this.update(`record.${this.index}`, this.address);
    this.world.trace?.(`${this.index} moves to address ${this.address}`);
  }

  /** A new version of an item that is made here. */
  update(key: string, body: unknown): number {
    const version = (this.items.get(key)?.version ?? 0) + 1;
    this.store(key, version, body);
    this.gossip?.spread({ key, version: `${version}`, body });
    this.world.trace?.(`${this.index} makes ${key} ${version}`);
    return version;
  }

  /** From a backup, or as of before the simulation. */
  store(key: string, version: number, body: unknown): boolean {
    const before = this.items.get(key)?.version ?? 0;
    if (version <= before)
      this.world.broken(`${this.index}: ${key} goes from version ${before} to ${version}`);
    this.checksum = (this.checksum - (before > 0 ? hash(key, before) : 0) + hash(key, version)) >>> 0;
    this.digested = "";
    this.items.set(key, { version, body });
    if (key.startsWith("record.")) this.addresses[Number(key.slice("record.".length))] = body;
    this.world.stored?.(this.index, key, version);
    return true;
  }

  private tick(life: number): void {
    if (life !== this.life || !this.gossip) return;
    if (this.paused) {
      this.waiting.push(() => this.tick(life));
      return;
    }
    const { agenda } = this.world;
    const pause = this.gossip.tick();
    if (this.gossip.footprint > mostHeld)
      this.world.broken(`${this.index} holds ${this.gossip.footprint} entries`);
    if (!(pause >= 1)) this.world.broken(`${this.index} wants to be called after ${pause} ms`);
    agenda.after(pause, () => this.tick(life));
  }

  datagram(packet: Packet, from: number): void {
    if (this.paused) {
      if (this.waiting.length < socketHolds) this.waiting.push(() => this.datagram(packet, from));
      return;
    }
    const answer = this.receive(packet, from, "udp");
    if (!answer) return;
    this.world.sent?.(this.index, from, answer, "udp");
    // It goes back to where the question came from, wherever the record says that it is.
    this.sendTo(from, answer);
  }

  private sendTo(to: number, packet: Packet): void {
    const { network, node, sealing } = this.world;
    const peer = node(to);
    if (!sealing) return network.datagram(this.index, to, () => peer.datagram(packet, this.index));
    const bytes = sealing.seal(this.index, to, packet);
    network.datagram(this.index, to, () => peer.sealed(bytes));
  }

  /** A sealed datagram came. */
  sealed(bytes: Uint8Array): void {
    const opened = this.world.sealing?.open(this.index, bytes);
    if (opened) this.datagram(opened.packet, opened.from);
  }

  receive(packet: Packet, from: number, way: Way): Packet | undefined {
    return this.gossip?.receive(packet, from, way);
  }

  /** A question over TCP and its answer, as far as both get through in time. */
  private call<T>(to: number, ask: (peer: SimNode) => T, answer: (value: T) => void): void {
    const { agenda, network, node } = this.world;
    const { life } = this;
    const deadline = agenda.now + callMs;
    network.stream(this.index, to, () => {
      const peer = node(to);
      peer.whenRunning(() => {
        if (!peer.gossip || agenda.now > deadline) return;
        const value = ask(peer);
        network.stream(to, this.index, () => {
          this.whenRunning(() => {
            if (life === this.life && agenda.now <= deadline) answer(value);
          });
        });
      });
    });
  }

  private whenRunning(run: () => void): void {
    if (this.paused) this.waiting.push(run);
    else run();
  }

  private exchange(to: number): void {
    const mine = this.everything();
    this.call(
      to,
      (peer) => {
        peer.merge(mine, this.index);
        return peer.everything();
      },
      (theirs) => this.merge(theirs, to),
    );
  }

  private everything(): { items: [string, Item][]; statements: Statement[] } {
    return { items: [...this.items], statements: this.gossip?.statements() ?? [] };
  }

  private merge({ items, statements }: ReturnType<SimNode["everything"]>, from: number): void {
    for (const [key, item] of items) this.took(key, item);
    this.gossip?.take(statements, from);
  }

  private took(key: string, { version, body }: Item): void {
    if (version <= (this.items.get(key)?.version ?? 0)) return;
    this.store(key, version, body);
    this.gossip?.spread({ key, version: `${version}`, body } satisfies News);
  }

  private fetch(key: string, from: number): void {
    this.call(
      from,
      (peer) => peer.items.get(key),
      (item) => {
        if (item) this.took(key, item);
      },
    );
  }

  /** Of those that it does not hold alive. */
  private view(): string {
    const others = this.world.members
      .map((index) => `${index} ${this.gossip?.state(index)}`)
      .filter((text) => !text.endsWith("alive"));
    return others.join(", ") || "all alive";
  }
}

function hash(key: string, version: number): number {
  let mixed = version;
  for (let i = 0; i < key.length; i++) mixed = Math.imul(mixed ^ key.charCodeAt(i), 0x0100_0193);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b_3c6d);
  return (mixed ^ (mixed >>> 12)) >>> 0;
}

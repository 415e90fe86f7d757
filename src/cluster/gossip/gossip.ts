import { Blockage, type Direction } from "./blockage.ts";
import { LocalHealth } from "./health.ts";
import { refutation } from "./incarnation.ts";
import { Listening } from "./listening.ts";
import { Members, share, type Known } from "./members.ts";
import { Notices } from "./notices.ts";
import { Outbox } from "./outbox.ts";
import { Probing } from "./probing.ts";
import { PushPull } from "./push-pull.ts";
import { Relays } from "./relays.ts";
import type { GossipOptions, News, Packet, Statement, Way } from "./types.ts";

/** News are passed on at once, and again so often until each was sent often enough. */
const roundMs = 200;
/** To how many members each time. With 3, news that is passed on at once reaches 94 % in some round trips, and the rest by the rounds. */
const fanout = 3;
/** At least so long between two times at which something is passed on at once: a flood of news shares packets. */
const burstMs = 20;
/** Where datagrams are blocked, rounds are fewer and to one member: each may cost a connection. */
const blockedRoundMs = 1_000;
/** How often one of the dead may be asked whether it is there again, times the share of the dead. Together the members ask each dead one about twice a second. */
const reconnectMs = 1_000;
const reconnectShare = 2;
/** One of so many of these goes over TCP: datagrams may be blocked to it. */
const reconnectByTcp = 4;
/** Together the members that hear of a suspect look at it by themselves so many times at once, be they few or many. */
const secondLooks = 4;
/** No tick is later than that, so that a pause of this agent is told from waiting. */
const longestTickMs = 500;
/** A pause in which other members may have had something to say. */
const longPauseMs = 1_000;
/** At most so often is a member told that it is held dead or suspect because something else came from it. */
const tellMs = 500;

/** SWIM with Lifeguard's additions, as a machine without sockets, clock and randomness of its own. `docs/gossip.md` */
export class Gossip {
  private readonly options: GossipOptions;
  private readonly listening: Listening;
  private readonly members: Members;
  private readonly health = new LocalHealth();
  private readonly blockage = new Blockage();
  private readonly relays = new Relays();
  private readonly notices = new Notices();
  private readonly outbox: Outbox;
  private readonly probing: Probing;
  private readonly pushPull: PushPull;
  private readonly told = new Map<number, number>();
  private incarnation: number;
  private seq: number;
  private roundAt = 0;
  private burstAt = 0;
  private reconnectAt: number;
  /** Something came that is to be passed on at once. */
  private fresh = false;
  /** It goes with every packet, and seldom is another one. */
  private lastDigest = { items: "", checksum: 0, incarnation: 0, text: "" };
  private changesTold = 0;
  private blockedTold = false;

  constructor(options: GossipOptions) {
    this.options = options;
    const { now, random } = options;
    this.incarnation = Math.max(1, options.incarnation);
    this.listening = new Listening(now);
    this.members = new Members(options.self, random);
    this.seq = Math.floor(random() * 2 ** 32);
    this.outbox = new Outbox((said) => this.holds(said));
    const { blockage, health, members } = this;
    this.probing = new Probing(
      {
        members,
        health,
        blockage,
        random,
        seq: () => this.nextSeq(),
        ping: (to, seq, way) => this.send(to, { kind: "ping", seq, ...this.load(to) }, way),
        ask: (helper, seq, target) =>
          this.send(helper, { kind: "ask", seq, target, ...this.load(helper) }, "udp"),
        failed: ({ index, incarnation }) => this.accuse(index, incarnation),
      },
      0,
    );
    this.pushPull = new PushPull(0, random);
    this.reconnectAt = reconnectMs * random();
  }

  /** Who is a member. What comes from others, or is about them, is ignored. */
  sync(indexes: readonly number[]): void {
    this.members.sync(indexes, this.listening.now());
    for (const index of this.told.keys()) if (!this.members.get(index)) this.told.delete(index);
    this.blockage.keep((index) => this.members.get(index) !== undefined);
    this.settle();
  }

  /** To be called again after as many ms as it returns. */
  tick(): number {
    const { listening, members, probing, pushPull, relays } = this;
    const stood = listening.tick();
    const now = listening.now();
    if (stood >= longPauseMs) pushPull.soon(now);
    for (const word of members.expire(now)) if (word.incarnation > 0) this.pass(word, now);
    for (const { by, theirs } of relays.expire(now)) {
      this.send(by, { kind: "nack", seq: theirs, ...this.load(by) }, "udp");
    }
    const probeAt = probing.tick(now);
    if (now >= this.reconnectAt) this.reconnect(now);
    if (pushPull.due(now)) this.exchangeWithAnybody();
    if (this.outbox.size > 0 && now >= this.roundAt) this.gossip(now);
    this.settle();
    const due = [probeAt, members.deadline(), relays.deadline(), this.reconnectAt, pushPull.dueAt];
    if (this.outbox.size > 0) due.push(this.roundAt);
    const pause = Math.min(longestTickMs, Math.max(1, Math.min(...due) - now));
    listening.promise(pause);
    return pause;
  }

  /**
   * A parsed packet from who was proved to have sent it.
   * @returns what it is to be answered, by the way that it came
   */
  receive(packet: Packet, from: number, way: Way): Packet | undefined {
    const sender = this.members.get(from);
    if (!sender) return undefined;
    const now = this.listening.now();
    sender.heardAt = this.options.now();
    if (way === "udp") this.blockage.came(now);
    this.hear({ index: from, state: "alive", incarnation: packet.incarnation, from }, from, now);
    for (const said of packet.statements) this.hear(said, from, now);
    for (const item of packet.news) this.learn(item, from, now);
    if (packet.digest === this.digest()) this.pushPull.same();
    else if (this.pushPull.strange(now)) this.options.exchange(from);
    const answer = this.answer(packet, from, way, now);
    if (!answer && sender.state !== "alive") this.tell(sender);
    this.settle();
    return answer;
  }

  private answer(packet: Packet, from: number, way: Way, now: number): Packet | undefined {
    if (packet.kind === "ping") return { kind: "ack", seq: packet.seq, ...this.load(from) };
    if (packet.kind === "ack") this.acknowledged(packet.seq, from, way);
    if (packet.kind === "nack") this.probing.nacked(packet.seq, from);
    if (packet.kind === "ask") this.relay(from, packet.seq, packet.target, now);
    return undefined;
  }

  private acknowledged(seq: number, from: number, way: Way): void {
    if (this.probing.answered(seq, from, way)) return;
    const relay = this.relays.answered(seq, from);
    if (relay) this.send(relay.by, { kind: "ack", seq: relay.theirs, ...this.load(relay.by) }, "udp");
  }

  private relay(by: number, theirs: number, target: number, now: number): void {
    if (!this.members.get(target)) return;
    const seq = this.nextSeq();
    if (!this.relays.add(seq, { by, theirs, target }, now)) return;
    this.send(target, { kind: "ping", seq, ...this.load(target) }, "udp");
  }

  /** An item that is new here, by whatever way but gossip: made here, fetched, or taken in an exchange. */
  spread(item: News): void {
    const now = this.listening.now();
    this.notices.done(item.key);
    this.enqueue(item, now);
    this.settle();
  }

  /** Of a member, this node itself included. */
  state(index: number): Statement["state"] {
    if (index === this.options.self) return "alive";
    return this.members.get(index)?.state ?? "dead";
  }

  /** Ms since something was last heard from it by any way; Infinity: never. */
  silentMs(index: number): number {
    const heardAt = this.members.get(index)?.heardAt ?? Number.NEGATIVE_INFINITY;
    return Math.max(0, this.options.now() - heardAt);
  }

  /** Something that proves who sent it came from it, by a way that is not gossip's. */
  heard(index: number): void {
    const known = this.members.get(index);
    if (!known) return;
    known.heardAt = this.options.now();
    this.members.met(known, this.listening.now());
    this.probing.heard(index);
    if (known.state !== "alive") this.tell(known);
    this.settle();
  }

  /** No datagram brings an answer, while TCP does. */
  get udpBlocked(): boolean {
    return this.blockage.udpBlocked;
  }

  /** Which of its datagrams are dropped, as far as it can tell; undefined: none. */
  get blocked(): Direction | undefined {
    return this.blockage.direction(this.listening.now());
  }

  /** How many entries it holds besides its members: bounded, whatever comes. */
  get footprint(): number {
    return this.outbox.size + this.relays.size + this.notices.size + this.probing.size;
  }

  /** All that is held of everybody, for an exchange. */
  statements(): Statement[] {
    const { incarnation, members, options } = this;
    const { self } = options;
    return [{ index: self, state: "alive", incarnation, from: self }, ...members.statements()];
  }

  /** What another member holds, from an exchange with it. */
  take(statements: readonly Statement[], from: number): void {
    const now = this.listening.now();
    for (const said of statements) {
      if (said.index !== from || said.state !== "alive") this.hear(said, from, now);
      else if (this.members.believe(said, now)) this.pass(said, now);
    }
    this.settle();
  }

  private nextSeq(): number {
    this.seq = (this.seq + 1) % 2 ** 32;
    return this.seq;
  }

  private hear(said: Statement, from: number, now: number): void {
    const { self } = this.options;
    if (said.index === self) return this.refute(said, from, now);
    if (said.state !== "alive" && said.from !== self && !this.members.get(said.from)) return;
    const before = this.members.get(said.index)?.state;
    const word = this.members.take(said, from, now);
    if (!word) return;
    this.pass(word, now);
    if (
      word.state === "suspect" &&
      before === "alive" &&
      this.options.random() < secondLooks / this.members.size
    )
      this.probing.soon(word.index);
  }

  private refute(said: Statement, from: number, now: number): void {
    const raised = refutation(said, this.incarnation);
    const { self } = this.options;
    if (raised === undefined) {
      // No number helps against that; its own word over TLS does.
      if (said.incarnation > this.incarnation && said.state !== "alive" && this.pushPull.early(now))
        this.options.exchange(from);
      return;
    }
    this.incarnation = raised;
    if (said.state !== "alive") this.health.worsen(1);
    this.pass({ index: self, state: "alive", incarnation: raised, from: self }, now);
    // Who was held dead was told nothing meanwhile.
    if (said.state === "dead" && this.pushPull.early(now)) this.options.exchange(from);
  }

  private accuse(index: number, incarnation: number): void {
    const now = this.listening.now();
    const { self } = this.options;
    const word = this.members.take({ index, state: "suspect", incarnation, from: self }, self, now);
    if (word && incarnation > 0) this.pass(word, now);
  }

  private learn(item: News, from: number, now: number): void {
    const { deliver, fetch, has } = this.options;
    if (has(item.key, item.version)) return;
    if (item.body === undefined) {
      this.pushPull.news(now);
      if (this.notices.begin(item.key, item.version, now)) fetch(item.key, from);
    } else if (deliver(item, from)) {
      this.enqueue(item, now);
    }
  }

  /** A statement that is new here. */
  private pass(word: Statement, now: number): void {
    this.outbox.addStatement(word, now);
    this.pushPull.news(now);
    this.fresh = true;
  }

  private enqueue(item: News, now: number): void {
    this.outbox.addNews(item, now);
    this.pushPull.news(now);
    this.fresh = true;
  }

  private holds({ index, state, incarnation }: Statement): boolean {
    if (index === this.options.self) return state === "alive" && incarnation === this.incarnation;
    const known = this.members.get(index);
    return known?.state === state && known.incarnation === incarnation;
  }

  /** At the end of whatever changed something: once for all of it. */
  private settle(): void {
    const { changes } = this.members;
    const now = this.listening.now();
    if (this.fresh && now - this.burstAt >= (this.udpBlocked ? blockedRoundMs : burstMs)) this.gossip(now);
    if (changes === this.changesTold && this.udpBlocked === this.blockedTold) return;
    this.changesTold = changes;
    this.blockedTold = this.udpBlocked;
    this.options.changed();
  }

  /** Tells some members what is to be passed on. */
  private gossip(now: number): void {
    const { blockage, members, outbox, udpBlocked } = this;
    this.fresh = false;
    this.burstAt = now;
    this.roundAt = now + (udpBlocked ? blockedRoundMs : roundMs);
    for (const { index } of members.pick(udpBlocked ? 1 : fanout, ({ state }) => state !== "dead")) {
      if (outbox.size === 0) return;
      this.send(index, { kind: "gossip", ...this.load(index) }, blockage.way(index));
    }
  }

  /** What every packet brings along. */
  private load(to: number): Pick<Packet, "incarnation" | "digest" | "statements" | "news"> {
    const { incarnation, members } = this;
    const known = members.get(to);
    // Whoever is held dead or suspect is told, so that it can refute.
    const first = known && known.state !== "alive" && known.incarnation > 0 ? word(known) : undefined;
    const digest = this.digest();
    return { incarnation, digest, ...this.outbox.pack(first, members.size, this.listening.now()) };
  }

  private digest(): string {
    const { incarnation, members, options } = this;
    const items = options.digest();
    const { checksum } = members;
    const last = this.lastDigest;
    if (last.items === items && last.checksum === checksum && last.incarnation === incarnation)
      return last.text;
    const own = share({ index: options.self, incarnation, state: "alive" });
    const text = `${items}.${((checksum + own) >>> 0).toString(36)}`;
    this.lastDigest = { items, checksum, incarnation, text };
    return text;
  }

  private send(to: number, packet: Packet, way: Way): void {
    if (way === "tcp") this.options.sendByTcp(to, packet);
    else this.options.send(to, packet);
  }

  /** Its answer shows that it lives; with what it was told, it refutes. */
  private tell(known: Known): void {
    const now = this.listening.now();
    if (now - (this.told.get(known.index) ?? Number.NEGATIVE_INFINITY) < tellMs) return;
    this.told.set(known.index, now);
    this.knock(known.index, this.blockage.way(known.index));
  }

  private knock(to: number, way: Way): void {
    this.send(to, { kind: "ping", seq: this.nextSeq(), ...this.load(to) }, way);
  }

  /** A dead member may be there again. */
  private reconnect(now: number): void {
    this.reconnectAt = now + reconnectMs;
    const { blockage, members, options } = this;
    const { dead, size } = members;
    if (dead === 0 || options.random() * (size - dead) > reconnectShare * dead) return;
    for (const { index } of members.pick(1, ({ state }) => state === "dead")) {
      this.knock(index, options.random() * reconnectByTcp < 1 ? "tcp" : blockage.way(index));
    }
  }

  private exchangeWithAnybody(): void {
    const { members, options } = this;
    const [alive] = members.pick(1, ({ state }) => state === "alive");
    const [partner] = alive ? [alive] : members.pick(1, () => true);
    if (partner) options.exchange(partner.index);
  }
}

function word({ index, state, incarnation, from }: Known): Statement {
  return { index, state, incarnation, from };
}

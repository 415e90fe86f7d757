import type { Blockage } from "./blockage.ts";
import type { LocalHealth } from "./health.ts";
import type { Known, Members } from "./members.ts";
import type { Way } from "./types.ts";

/**
 * Each member asks another one every so often: each is so asked 2.5 times a second by somebody, and a dead one is found
 * after 0.4 s on average, 1.8 s in one of a hundred cases. Half the time would double all traffic at rest.
 */
const intervalMs = 400;
/** Over TCP alone, each probe may cost a connection. */
const blockedFactor = 3;
/** A round trip in any network a cluster is built in, and a moment of a busy node. Then others look too, and TCP is tried. */
const straightMs = 200;
/** From the first question to the accusation: two round trips more, and a TLS connection. */
const wholeMs = 600;
/** How many others are asked to look. With three and 10 % loss, all of their ways fail in 4 % of the cases. */
const helpers = 3;

interface Probe {
  target: Known;
  /** The target's, when it was asked. */
  incarnation: number;
  startedAt: number;
  /** Those who look as well; undefined: not yet asked. */
  asked: Set<number> | undefined;
  nacks: Set<number>;
  /** It answered over TCP. */
  tcp: boolean;
}

export interface ProbingOptions {
  members: Members;
  health: LocalHealth;
  blockage: Blockage;
  random: () => number;
  seq: () => number;
  ping: (to: number, seq: number, way: Way) => void;
  ask: (helper: number, seq: number, target: number) => void;
  /** Nothing of it was heard by any way. */
  failed: (target: Known) => void;
}

/**
 * Whether the others live: one after the other is asked, all of them once before any of them twice (SWIM), straight, then
 * by others and over TCP.
 */
export class Probing {
  private readonly options: ProbingOptions;
  private readonly flying = new Map<number, Probe>();
  private round: number[] = [];
  private nextAt: number;

  constructor(options: ProbingOptions, now: number) {
    this.options = options;
    this.nextAt = now + intervalMs * options.random();
  }

  get size(): number {
    return this.flying.size;
  }

  /** @returns when it wants to be called next */
  tick(now: number): number {
    const { blockage, health } = this.options;
    let due = Number.POSITIVE_INFINITY;
    for (const [seq, probe] of this.flying) due = Math.min(due, this.follow(seq, probe, now));
    if (now >= this.nextAt) {
      const pause = intervalMs * health.factor * (blockage.udpBlocked ? blockedFactor : 1);
      this.nextAt = now + pause;
      due = Math.min(due, this.begin(now));
    }
    return Math.min(due, this.nextAt);
  }

  /** Who was just accused by somebody else is looked at next. */
  soon(index: number): void {
    this.round.push(index);
  }

  private begin(now: number): number {
    const target = this.next();
    if (!target) return Number.POSITIVE_INFINITY;
    const { blockage, health, ping, seq } = this.options;
    const number = seq();
    const { incarnation } = target;
    const probe = {
      target,
      incarnation,
      startedAt: now,
      asked: undefined,
      nacks: new Set<number>(),
      tcp: false,
    };
    this.flying.set(number, probe);
    ping(target.index, number, "udp");
    // So that it is noticed as well when datagrams come through again.
    if (blockage.way(target.index) === "tcp") ping(target.index, number, "tcp");
    return now + straightMs * health.factor;
  }

  private next(): Known | undefined {
    const { members } = this.options;
    for (let refilled = false; ;) {
      const index = this.round.pop();
      if (index === undefined) {
        if (refilled) return undefined;
        refilled = true;
        this.round = members.pick(members.size, ({ state }) => state !== "dead").map(({ index }) => index);
        continue;
      }
      const known = members.get(index);
      if (known && known.state !== "dead") return known;
    }
  }

  /** @returns when there is more to do about it */
  private follow(seq: number, probe: Probe, now: number): number {
    const { health } = this.options;
    const straightAt = probe.startedAt + straightMs * health.factor;
    const wholeAt = probe.startedAt + wholeMs * health.factor;
    if (now >= wholeAt) {
      this.flying.delete(seq);
      this.end(probe, now);
      return Number.POSITIVE_INFINITY;
    }
    if (probe.asked) return wholeAt;
    if (now < straightAt) return straightAt;
    this.lookHarder(seq, probe);
    return wholeAt;
  }

  private lookHarder(seq: number, probe: Probe): void {
    const { ask, blockage, members, ping } = this.options;
    const { target } = probe;
    const canHelp = (known: Known) =>
      known !== target && known.state === "alive" && blockage.way(known.index) === "udp";
    const asked = members.pick(helpers, canHelp).map(({ index }) => index);
    probe.asked = new Set(asked);
    for (const helper of asked) ask(helper, seq, target.index);
    if (blockage.way(target.index) === "udp") ping(target.index, seq, "tcp");
  }

  private end({ target, incarnation, asked, nacks, tcp }: Probe, now: number): void {
    const { blockage, failed, health, members } = this.options;
    if (members.get(target.index) !== target || target.state === "dead") return;
    // It started, or refuted, while it was asked.
    if (target.incarnation > incarnation) return;
    if (tcp) {
      blockage.onlyTcp(target.index, now);
      return health.improve();
    }
    // Where those who looked as well say that they are there and it is not, nothing is wrong with us.
    health.worsen(asked && asked.size > 0 ? asked.size - nacks.size : 1);
    failed(target);
  }

  /** @returns whether it was asked of us */
  answered(seq: number, from: number, way: Way): boolean {
    const probe = this.flying.get(seq);
    if (!probe) return false;
    const straight = from === probe.target.index;
    if (!straight && !probe.asked?.has(from)) return false;
    if (way === "tcp") {
      probe.tcp = true;
      return true;
    }
    this.flying.delete(seq);
    this.options.blockage.passed(probe.target.index, straight);
    this.options.health.improve();
    return true;
  }

  nacked(seq: number, from: number): void {
    const probe = this.flying.get(seq);
    if (probe?.asked?.has(from)) probe.nacks.add(from);
  }

  /** Something came from it by another way meanwhile. */
  heard(index: number): void {
    for (const probe of this.flying.values()) if (probe.target.index === index) probe.tcp = true;
  }
}

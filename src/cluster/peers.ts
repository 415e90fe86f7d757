import { ChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { Clock } from "../core/clock.ts";
import { peerUnreachable } from "./channel.ts";
import type { Liveness, Pause } from "./types.ts";
import type { Link, PeerAddress, Transport } from "./transport.ts";

/**
 * How often each agent tells each other one that it lives. Five a second, sent and received, cost about 0.2 % of a core;
 * twice as often would find a dead node 0.1 s sooner.
 */
const beatMs = 200;
/** A beat that is due so soon goes out now: a wake-up of its own would cost as much as the beat. */
const earlyMs = 10;
/** A limit that is reached between two beats is looked at so much later: a beat that was lost and sent again may be coming in. */
const lateMs = 50;
/** As much of a time without ticks counts as silence: a beat, and being late for it on a busy machine. */
const longestTickMs = beatMs + lateMs;
/** Between two ticks: others may have missed two beats of ours, and act on it after 670 ms at the earliest. */
const pausedMs = 450;
/** Two beats missed. Sooner would suspect a node for one late packet; it only stops us from relying on the peer. */
export const suspectMs = 400;
/** Five beats missed. Sooner would declare nodes dead that swap or are short of CPU; later delays every failover that asks. */
const deadMs = 1_000;
/** Silence after which the next state is due. */
const silenceLimit: Readonly<Record<Liveness, number>> = {
  alive: suspectMs,
  suspect: deadMs,
  dead: Infinity,
  left: Infinity,
};
/** Between attempts to dial, plus up to half of it at random, so that restarted nodes do not dial in step. */
const redialMs = 500;
/** Beats in a row that tell of another state than ours before the two states are compared in full. */
const strangeBeats = 3;
/** It doubles while that helps nobody, as where one has what it is not trusted to tell: once half a minute at last. */
const mostStrangeBeats = 150;

export interface PeersOptions {
  transport: Transport;
  clock: Clock;
  random: () => number;
  /** Sent with each beat: equal on members that know the same. */
  digest: () => string;
  /** A connection is up, or the peer knows other things than we do. Failures are the peer set's to report. */
  exchange: (peer: PeerAddress, link: Link) => Promise<void>;
  /** A liveness changed, or this agent stood still. */
  changed: () => void;
}

interface Peer {
  target: PeerAddress;
  link: Link | undefined;
  /** What became of our connection to it: `proven` has brought an answer, `lost` was up until just now. */
  linked: "none" | "unproven" | "proven" | "lost";
  /** Dials in vain while it could be heard. */
  failures: number;
  dialing: Promise<void> | undefined;
  retryAt: number;
  /** On the monotonic clock, and on the clock of time in which this agent really ran. */
  heardAt: number;
  heardListening: number;
  /** The last dial failed and nothing was heard since. */
  unreachable: boolean;
  state: Liveness;
  /** Heard at least once: before, it is a member whose agent is on its way, and its silence no event. */
  met: boolean;
  /** Beats in a row that told of another state than ours, and how many it takes to compare them. */
  strange: number;
  patience: number;
  exchanging: boolean;
}

/** Keeps one connection to every other member, says "I live" over it, and judges who does by who says it to us. */
export class Peers {
  private readonly options: PeersOptions;
  private readonly peers = new Map<number, Peer>();
  private lastTick: number;
  private lastPause: Pause = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  private listened = 0;
  private lastBeat = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(options: PeersOptions) {
    this.options = options;
    this.lastTick = options.clock.now();
  }

  /** Brings the set in line with the members that there are, self excluded. */
  sync(targets: readonly PeerAddress[]): void {
    const wanted = new Map(targets.map((target) => [target.index, target]));
    for (const [index, peer] of this.peers) {
      const target = wanted.get(index);
      if (target?.publicKey === peer.target.publicKey && target.address === peer.target.address) continue;
      this.peers.delete(index);
      peer.link?.close();
    }
    const now = this.options.clock.now();
    for (const target of targets) {
      if (this.peers.has(target.index)) continue;
      this.peers.set(target.index, {
        target,
        link: undefined,
        linked: "none",
        failures: 0,
        dialing: undefined,
        retryAt: now,
        heardAt: now,
        heardListening: this.listening(),
        unreachable: false,
        // Not alive before it was heard, and not dead before it had its chance.
        state: "suspect",
        met: false,
        strange: 0,
        patience: strangeBeats,
        exchanging: false,
      });
    }
  }

  /** To be called again after as many ms as it returns: for the next beat, or sooner where a limit is reached before. */
  tick(): number {
    const now = this.options.clock.now();
    this.listened = this.listening();
    this.lastPause = this.pause();
    let changed = this.lastPause.at >= now;
    if (changed) log.warn(`this agent stood still for ${Math.round(this.lastPause.ms)} ms`);
    this.lastTick = now;
    const beat = now - this.lastBeat >= beatMs - earlyMs;
    if (beat) this.lastBeat = now;
    let pause = this.lastBeat + beatMs - now;
    for (const peer of this.peers.values()) {
      if (beat) peer.link?.notify("beat", { digest: this.options.digest() });
      if (!peer.link && now >= peer.retryAt) void this.dial(peer);
      changed = this.judge(peer) || changed;
      pause = Math.min(pause, this.untilDue(peer, now));
    }
    if (changed) this.options.changed();
    return Math.max(1, pause);
  }

  /** Ms until this peer is to be dialled again, or is silent for too long. */
  private untilDue(peer: Peer, now: number): number {
    const silence = silenceLimit[peer.state] + lateMs - (this.listening() - peer.heardListening);
    return peer.link || peer.dialing ? silence : Math.min(silence, peer.retryAt - now);
  }

  /**
   * Time during which this agent could have heard something. After a pause (SIGSTOP, a frozen disk, a suspended VM)
   * the others are not dead, we were; at most `longestTickMs` of it count as silence.
   */
  private listening(): number {
    return this.listened + Math.min(this.options.clock.now() - this.lastTick, longestTickMs);
  }

  private judge(peer: Peer): boolean {
    const silent = this.listening() - peer.heardListening;
    const before = peer.state;
    if (silent >= deadMs) peer.state = "dead";
    else if (silent >= suspectMs || peer.unreachable) peer.state = "suspect";
    if (peer.state === before) return false;
    const what = peer.met ? `is ${peer.state}` : "has not been heard yet";
    log.info(`member ${peer.target.name} ${what}`, { silent_ms: Math.round(silent) });
    // TCP would go on repeating into the void, slower and slower; a fresh connection finds a healed network sooner.
    if (peer.state === "dead") peer.link?.close();
    return true;
  }

  /** Any message from a peer proves that it lives. */
  heard(index: number): void {
    const peer = this.peers.get(index);
    if (!peer) return;
    peer.heardAt = this.options.clock.now();
    peer.heardListening = this.listening();
    peer.unreachable = false;
    peer.met = true;
    if (peer.state === "alive") return;
    log.info(`member ${peer.target.name} is alive`);
    peer.state = "alive";
    if (!peer.link) void this.dial(peer);
    this.options.changed();
  }

  /** A beat told what the peer knows. */
  heardDigest(index: number, digest: string): void {
    const peer = this.peers.get(index);
    if (!peer) return;
    if (digest === this.options.digest()) {
      [peer.strange, peer.patience] = [0, strangeBeats];
      return;
    }
    peer.strange++;
    if (peer.strange < peer.patience || !peer.link || peer.exchanging) return;
    [peer.strange, peer.patience] = [0, Math.min(2 * peer.patience, mostStrangeBeats)];
    void this.exchange(peer, peer.link);
  }

  state(index: number): Liveness {
    return this.peers.get(index)?.state ?? "dead";
  }

  /** Whether it was heard at least once since it is among these. */
  met(index: number): boolean {
    return this.peers.get(index)?.met ?? false;
  }

  silentMs(index: number): number {
    const peer = this.peers.get(index);
    return peer ? Math.max(0, this.options.clock.now() - peer.heardAt) : Number.POSITIVE_INFINITY;
  }

  /** When this agent last found that it had not run for a while; what is heard first afterwards may be old. */
  pause(): Pause {
    const at = this.options.clock.now();
    const ms = at - this.lastTick;
    return ms >= pausedMs ? { at, ms } : this.lastPause;
  }

  /** Whether it is worth telling something: alive, or at least connected. */
  isReachable(index: number): boolean {
    const peer = this.peers.get(index);
    return peer !== undefined && (peer.link !== undefined || peer.state === "alive");
  }

  /** The kept connection, or a new one. @throws ChimeError `peer.unreachable` */
  async link(index: number, timeoutMs: number): Promise<Link> {
    const peer = this.peers.get(index);
    if (!peer) throw peerUnreachable(`member ${index}`, "it is not a member");
    if (!peer.link) {
      const enough = new AbortController();
      const limit = this.options.clock.sleep(timeoutMs, enough.signal).catch(() => undefined);
      await Promise.race([this.dial(peer), limit]);
      enough.abort();
    }
    if (!peer.link) throw peerUnreachable(peer.target.name, "no connection could be made");
    return peer.link;
  }

  private dial(peer: Peer): Promise<void> {
    peer.dialing ??= this.dialOnce(peer).finally(() => {
      peer.dialing = undefined;
    });
    return peer.dialing;
  }

  private async dialOnce(peer: Peer): Promise<void> {
    const { clock, random, transport } = this.options;
    const before = peer.state;
    let pauseMs = redialMs * (1 + random() / 2);
    try {
      const link = await transport.dial(peer.target);
      if (this.stopped || this.peers.get(peer.target.index) !== peer) return link.close();
      peer.link = link;
      peer.linked = "unproven";
      void link.closed.then(() => this.lost(peer, link));
      await this.exchange(peer, link);
    } catch (error) {
      if (error instanceof ChimeError && error.code === "peer.impostor") log.error(error);
      if (peer.linked === "lost") this.doubt(peer);
      else if (before !== "alive" && peer.state === "alive") {
        // It came up while we knocked.
        pauseMs = 0;
      } else if (peer.state === "alive" && ++peer.failures === 3) {
        log.warn("heard, but not to be connected to (is TCP port 8820 open there?):", error);
      }
      peer.linked = "none";
    } finally {
      peer.retryAt = clock.now() + pauseMs;
    }
  }

  private async lost(peer: Peer, link: Link): Promise<void> {
    if (peer.link === link) peer.link = undefined;
    if (this.stopped || this.peers.get(peer.target.index) !== peer) return;
    // An agent that was stopped refuses this dial, which makes it suspect at once. One that took the connection and
    // never said anything useful is suspect as it is, and waits for its turn.
    const proven = peer.linked === "proven";
    peer.linked = "lost";
    if (proven) await this.dial(peer);
    else this.doubt(peer);
  }

  /** Until it is heard again; where only our way to it is blocked, that is a moment later. */
  private doubt(peer: Peer): void {
    peer.unreachable = true;
    if (this.judge(peer)) this.options.changed();
  }

  private async exchange(peer: Peer, link: Link): Promise<void> {
    peer.exchanging = true;
    try {
      await this.options.exchange(peer.target, link);
      peer.linked = "proven";
      peer.failures = 0;
      this.heard(peer.target.index);
    } catch (error) {
      // A connection that does not answer is of no use.
      log.debug(`no exchange with ${peer.target.name}:`, error);
      link.close();
    } finally {
      peer.exchanging = false;
    }
  }

  stop(): void {
    this.stopped = true;
    for (const peer of this.peers.values()) peer.link?.close();
  }
}

import type { Clock } from "../core/clock.ts";
import { peerUnreachable } from "./channel.ts";
import type { Link, PeerAddress, Transport } from "./transport.ts";

/** A connection that nobody used for so long is closed; the other side would do it after 10 s without a word. */
const idleMs = 5_000;

interface Kept {
  target: PeerAddress;
  link: Link;
  usedAt: number;
}

/** Connections to members that are not close: made when there is something to say, and kept as long as there is. */
export class OccasionalLinks {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #links = new Map<number, Kept>();
  readonly #dialing = new Map<number, Promise<Link>>();
  #stopped = false;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  /** @throws ChimeError `peer.unreachable`, `peer.impostor` */
  async link(target: PeerAddress, timeoutMs: number): Promise<Link> {
    const kept = this.#links.get(target.index);
    if (kept && isSame(kept.target, target)) {
      kept.usedAt = this.#clock.now();
      return kept.link;
    }
    const enough = new AbortController();
    const limit = this.#clock.sleep(timeoutMs, enough.signal).then(
      () => Promise.reject(peerUnreachable(target.name, "no connection could be made in time")),
      () => new Promise<never>(() => undefined),
    );
    return await Promise.race([this.#dial(target), limit]).finally(() => enough.abort());
  }

  #dial(target: PeerAddress): Promise<Link> {
    const { index } = target;
    const dialing = this.#dialing.get(index) ?? this.#dialOnce(target);
    this.#dialing.set(index, dialing);
    const over = () => void this.#dialing.delete(index);
    dialing.then(over, over);
    return dialing;
  }

  async #dialOnce(target: PeerAddress): Promise<Link> {
    const link = await this.#transport.dial(target);
    if (this.#stopped) {
      link.close();
      throw peerUnreachable(target.name, "this agent stops");
    }
    const { index } = target;
    this.#links.get(index)?.link.close();
    this.#links.set(index, { target, link, usedAt: this.#clock.now() });
    void this.#untilClosed(index, link);
    return link;
  }

  async #untilClosed(index: number, link: Link): Promise<void> {
    await link.closed;
    if (this.#links.get(index)?.link === link) this.#links.delete(index);
  }

  /** One that does not answer any more: a fresh one finds a healed network sooner. */
  drop(index: number): void {
    this.#links.get(index)?.link.close();
  }

  /** Closes what nobody needs. To be called now and then. */
  sweep(isMember: (target: PeerAddress) => boolean): void {
    const now = this.#clock.now();
    for (const { target, link, usedAt } of this.#links.values()) {
      if (now - usedAt >= idleMs || !isMember(target)) link.close();
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const { link } of this.#links.values()) link.close();
  }
}

function isSame(a: PeerAddress, b: PeerAddress): boolean {
  return a.publicKey === b.publicKey && a.address === b.address;
}

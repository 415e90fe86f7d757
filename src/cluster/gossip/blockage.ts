import type { Way } from "./types.ts";

/**
 * Probes in a row whose datagrams brought nothing, neither straight nor by others, while TCP did: twice may be chance on a
 * bad network, and to be wrong costs a connection.
 */
const peerFailures = 2;
/** The same of whomever: at 30 % loss it happens by chance once in some millions. It takes 3 s to find out. */
const ownFailures = 8;
/** Others ask this node several times in it, blocked themselves and in bad health too: so long a datagram shows that they come in. */
const comingMs = 10_000;

/** Which of a node's datagrams are dropped: those to it (and perhaps its own as well), or its own alone. */
export type Direction = "inward" | "outward";

/**
 * Finds that a firewall takes TCP and drops UDP, which is what most flapping of gossip comes from. It is about one's own
 * datagrams when nobody's come back, and about a peer's when others answer.
 */
export class Blockage {
  private readonly failures = new Map<number, number>();
  private inRow = 0;
  /** When the first of those in a row ended. */
  private failingSince = 0;
  private cameAt = Number.NEGATIVE_INFINITY;

  get udpBlocked(): boolean {
    return this.inRow >= ownFailures;
  }

  /** Undefined: they are not blocked. */
  direction(now: number): Direction | undefined {
    if (!this.udpBlocked) return undefined;
    return this.cameAt >= Math.max(this.failingSince, now - comingMs) ? "outward" : "inward";
  }

  /** A member's datagram came in. */
  came(now: number): void {
    this.cameAt = now;
  }

  /** How a packet gets to this peer. */
  way(index: number): Way {
    return this.udpBlocked || (this.failures.get(index) ?? 0) >= peerFailures ? "tcp" : "udp";
  }

  /** A datagram brought an answer: `straight` from this peer, or by another one that was asked to look. */
  passed(index: number, straight: boolean): void {
    this.inRow = 0;
    if (straight) this.failures.delete(index);
  }

  /** None did, while it did answer over TCP. */
  onlyTcp(index: number, now: number): void {
    if (this.inRow++ === 0) this.failingSince = now;
    this.failures.set(index, (this.failures.get(index) ?? 0) + 1);
  }

  /** Forgets who is no member any more. */
  keep(isMember: (index: number) => boolean): void {
    for (const index of this.failures.keys()) if (!isMember(index)) this.failures.delete(index);
  }
}

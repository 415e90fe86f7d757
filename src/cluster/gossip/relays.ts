/** So that who asked hears that we are there at least, before its own time for the probe is over. */
const patienceMs = 250;
/** As many questions of others at once; who floods us with them gets no answer to the rest. */
const mostRelays = 256;

interface Relay {
  by: number;
  /** The number under which it was asked. */
  theirs: number;
  target: number;
  until: number;
}

/** Looks that were taken for others (indirect probes). */
export class Relays {
  private readonly open = new Map<number, Relay>();

  get size(): number {
    return this.open.size;
  }

  /** @returns false: there are too many as it is */
  add(seq: number, relay: Omit<Relay, "until">, now: number): boolean {
    if (this.open.size >= mostRelays) return false;
    this.open.set(seq, { ...relay, until: now + patienceMs });
    return true;
  }

  /** Whom to tell, if that is the answer to a question of somebody else. */
  answered(seq: number, from: number): Relay | undefined {
    const relay = this.open.get(seq);
    if (relay?.target !== from) return undefined;
    this.open.delete(seq);
    return relay;
  }

  /** Those that were not answered in time. */
  expire(now: number): Relay[] {
    const over: Relay[] = [];
    for (const [seq, relay] of this.open) {
      if (relay.until > now) break;
      this.open.delete(seq);
      over.push(relay);
    }
    return over;
  }

  /** When the first of them is over. */
  deadline(): number {
    for (const { until } of this.open.values()) return until;
    return Number.POSITIVE_INFINITY;
  }
}

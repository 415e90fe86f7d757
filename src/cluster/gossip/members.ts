import { credible, outdoes } from "./incarnation.ts";
import { Suspicion } from "./suspicion.ts";
import type { Statement } from "./types.ts";

/** What this node holds of another one. */
export interface Known {
  readonly index: number;
  state: Statement["state"];
  /** 0: never heard of. Such a one is not alive before it was heard, and not dead before it had its chance. */
  incarnation: number;
  /** Who found it so. */
  from: number;
  suspicion: Suspicion | undefined;
  /** When it was last heard, by any way; on the clock of the host. -Infinity: never. */
  heardAt: number;
}

/** The other members, and what holds of each. */
export class Members {
  private readonly self: number;
  private readonly random: () => number;
  private readonly known = new Map<number, Known>();
  private readonly suspects = new Set<Known>();
  private list: Known[] = [];
  private deadCount = 0;
  /** Counts changes of anybody's state. */
  changes = 0;
  /** Equal where the same members are held alive and dead, in the same incarnations; this node's own is not in it. */
  checksum = 0;

  constructor(self: number, random: () => number) {
    this.self = self;
    this.random = random;
  }

  /** How many there are, this node included. */
  get size(): number {
    return this.known.size + 1;
  }

  get dead(): number {
    return this.deadCount;
  }

  get(index: number): Known | undefined {
    return this.known.get(index);
  }

  sync(indexes: readonly number[], now: number): void {
    const wanted = new Set(indexes);
    wanted.delete(this.self);
    for (const known of this.known.values()) if (!wanted.has(known.index)) this.forget(known);
    for (const index of wanted) {
      if (this.known.has(index)) continue;
      const suspicion = new Suspicion(now, this.self, wanted.size + 1);
      const heardAt = Number.NEGATIVE_INFINITY;
      const known: Known = { index, state: "suspect", incarnation: 0, from: this.self, suspicion, heardAt };
      this.known.set(index, known);
      this.suspects.add(known);
      this.changes++;
    }
    this.list = [...this.known.values()];
  }

  private forget(known: Known): void {
    this.known.delete(known.index);
    this.suspects.delete(known);
    this.checksum = (this.checksum - share(known)) >>> 0;
    if (known.state === "dead") this.deadCount--;
    this.changes++;
  }

  /**
   * @param teller who says so now
   * @returns what is new here, to be passed on
   */
  take(said: Statement, teller: number, now: number): Statement | undefined {
    const known = this.known.get(said.index);
    if (!known) return undefined;
    if (teller !== said.index && !credible(said.incarnation, known.incarnation)) return undefined;
    // To others' word that it is dead it can answer as well: a node that was cut off holds everybody dead. So each member
    // waits by itself, but for whom it never heard of.
    const accuses = said.state === "dead" && known.state !== "dead" && known.incarnation > 0;
    const word: Statement = accuses ? { ...said, state: "suspect" } : said;
    if (outdoes(word, known)) {
      this.set(known, word, now);
      return word;
    }
    const confirms = word.state === "suspect" && word.incarnation === known.incarnation;
    return confirms && known.suspicion?.confirm(word.from) ? word : undefined;
  }

  /**
   * What a member says of itself over TLS. It holds against a number, too, that it cannot have had: with gossip's key alone
   * somebody else has said that. @returns whether it is to be passed on; whoever else believes the slander has to hear from
   * the member itself
   */
  believe(said: Statement, now: number): boolean {
    const known = this.known.get(said.index);
    if (!known) return false;
    const isNew = outdoes(said, known);
    if (isNew || !credible(known.incarnation, said.incarnation)) this.set(known, said, now);
    return isNew;
  }

  private set(known: Known, word: Statement, now: number): void {
    if (known.state !== word.state) this.changes++;
    if (known.state === "dead") this.deadCount--;
    this.checksum -= share(known);
    known.state = word.state;
    known.incarnation = word.incarnation;
    known.from = word.from;
    known.suspicion = word.state === "suspect" ? new Suspicion(now, word.from, this.size) : undefined;
    if (known.suspicion) this.suspects.add(known);
    else this.suspects.delete(known);
    if (known.state === "dead") this.deadCount++;
    this.checksum = (this.checksum + share(known)) >>> 0;
  }

  /** Heard by a way that tells no incarnation: enough for one that was never heard of. */
  met(known: Known, now: number): void {
    if (known.state !== "alive" && known.incarnation === 0) {
      this.set(known, { index: known.index, state: "alive", incarnation: 0, from: known.index }, now);
    }
  }

  /** Those whose time to refute is over: from now on they are dead. */
  expire(now: number): Statement[] {
    const over: Statement[] = [];
    for (const known of this.suspects) {
      if ((known.suspicion?.deadline ?? 0) > now) continue;
      const { index, incarnation } = known;
      const word: Statement = { index, state: "dead", incarnation, from: this.self };
      this.set(known, word, now);
      over.push(word);
    }
    return over;
  }

  /** When the first of them is over; Infinity: there is no suspect. */
  deadline(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { suspicion } of this.suspects) first = Math.min(first, suspicion?.deadline ?? first);
    return first;
  }

  /** Up to `count` different ones of those that pass, each as likely. */
  pick(count: number, passes: (known: Known) => boolean): Known[] {
    const { list } = this;
    const picked: Known[] = [];
    for (let i = 0; i < list.length && picked.length < count; i++) {
      const other = i + Math.floor(this.random() * (list.length - i));
      const known = list[other] as Known;
      list[other] = list[i] as Known;
      list[i] = known;
      if (passes(known)) picked.push(known);
    }
    return picked;
  }

  /** What is held of everybody that was ever heard of. */
  statements(): Statement[] {
    return [...this.known.values()]
      .filter(({ incarnation }) => incarnation > 0)
      .map(({ index, state, incarnation, from }) => ({ index, state, incarnation, from }));
  }
}

/** A member's share of the checksum. Suspicions pass, and are no difference. */
export function share({ index, incarnation, state }: Pick<Known, "index" | "incarnation" | "state">): number {
  if (incarnation === 0) return 0;
  let mixed = Math.imul(index * 2 + (state === "dead" ? 1 : 0), 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15) ^ incarnation, 0x85eb_ca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

import * as v from "valibot";
import type { Clock } from "../core/clock.ts";
import { refused, toChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { ClusterMembership } from "./membership.ts";
import type { MemberView } from "./types.ts";

/** Nobody waits for what is rotated: until the new is there the old one is as good. */
const followMs = 1_000;
/** A document is some lines; the other agent answers from its memory. */
const askMs = 5_000;

/** What a member publishes of its document. */
export interface RotationState {
  version: number;
  /** Tells two documents of one version apart. */
  id: string;
}

/** How far all members are with a rotation, for whoever waits for it. */
export interface RotationProgress {
  done: boolean;
  version: number;
  /** One line; null where it is done. */
  awaiting: string | null;
  /** Names of members that are not there: they get what is new as soon as they are. */
  away: string[];
}

export interface Other<S extends RotationState> {
  view: MemberView;
  /** Null: an older version, or one that has only just started. */
  state: S | null;
}

/** What is rotated: a document that rises by stages. */
export interface Rotated<D, S extends RotationState> {
  /** In messages. */
  subject: string;
  /** Begins the codes of what is refused. */
  code: string;
  /** The method that gives out the document, and where its state stands in a record (`Member.roleState`): no role's name. */
  key: string;
  document: v.GenericSchema<unknown, D>;
  state: v.GenericSchema<unknown, S>;
  /** The present document, for whoever asks; undefined where there is none yet. */
  held: () => D | undefined;
  /** What this node publishes. */
  own: () => S;
  /** Whether the first one is the cluster's where both are met. */
  outdoes: (first: S, second: S) => boolean;
  /** Whether a member of this state has done all that the next stage needs; one that has not this node's document has not. */
  isThrough: (state: S) => boolean;
  /** Durable when it resolves. @throws ChimeError where it is not the cluster's */
  take: (document: D, from: string) => Promise<void>;
  /** Before this node publishes: what its own part in the stage is. */
  prepare?: (others: readonly Other<S>[]) => Promise<void>;
  /** What members published, and whether all that are there have this node's document. */
  heard?: (others: readonly Other<S>[], agreed: boolean) => void;
  /** All that are there are through, and this node is the one to go on. */
  goOn: () => Promise<void>;
  /** Whether this node holds what it takes to make the next document. */
  isAble: () => boolean;
  /** Nothing is under way. */
  isSettled: () => boolean;
  /** What members that are late have to do. */
  task: () => string;
}

export interface RotationOptions {
  membership: Pick<ClusterMembership, "self" | "members" | "update" | "call" | "handle" | "isWitness">;
  clock: Clock;
}

/**
 * Carries a document from member to member, by stages with a barrier before each. Whoever hears that another one has a later
 * document fetches it, over the agents' own TLS. The first member that is there and able makes the next one as soon as all
 * that are there have this one: where it is gone, the next one goes on.
 */
export class Rotation<D, S extends RotationState> {
  readonly #rotated: Rotated<D, S>;
  readonly #options: RotationOptions;
  readonly #stopping = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #complaint: string | undefined;
  /** Since when a rotation is under way here, on the monotonic clock. */
  #since: number | undefined;

  constructor(rotated: Rotated<D, S>, options: RotationOptions) {
    this.#rotated = rotated;
    this.#options = options;
    // The document is every member's, a witness's too, and who asks is one.
    options.membership.handle(rotated.key, () => Promise.resolve(rotated.held()));
  }

  /** From here on this node takes part. */
  start(): void {
    void this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.#follow();
      await this.#options.clock.sleep(followMs, signal).catch(() => undefined);
    }
  }

  async #follow(): Promise<void> {
    if (this.#options.membership.self.left) return;
    const { own, isThrough, prepare, heard, goOn, isSettled } = this.#rotated;
    try {
      const failure = await prepare?.(this.others()).then(
        () => undefined,
        (error: unknown) => toChimeError(error).message,
      );
      await this.#publish();
      const others = this.others();
      const { id } = own();
      heard?.(
        others,
        others.every((other) => !isThere(other) || other.state === null || other.state.id === id),
      );
      const missed = await this.#fetchLater(others);
      if (this.isFirst(others) && this.late(others).length === 0 && isThrough(own())) await goOn();
      this.#complain(failure ?? missed);
    } catch (error) {
      this.#complain(toChimeError(error).message);
    }
    if (isSettled()) this.#since = undefined;
    else this.#since ??= this.#options.clock.now();
  }

  /** Once for each thing that stays as it is. */
  #complain(failure: string | undefined): void {
    if (failure !== undefined && failure !== this.#complaint) log.warn(`${this.#rotated.subject}:`, failure);
    this.#complaint = failure;
  }

  async #publish(): Promise<void> {
    const { membership } = this.#options;
    const { key, own } = this.#rotated;
    const { roleState } = membership.self;
    const state = own();
    if (Bun.deepEquals(roleState[key], state)) return;
    await membership.update({ roleState: { ...roleState, [key]: state } });
  }

  /** Those that are not there are asked in vain, and for long. @returns what went wrong, which holds up nobody else */
  async #fetchLater(others: readonly Other<S>[]): Promise<string | undefined> {
    const { membership } = this.#options;
    const { key, document, own, outdoes } = this.#rotated;
    let failure: string | undefined;
    for (const { view, state } of others) {
      if (view.state !== "alive" || !state || !outdoes(state, own())) continue;
      try {
        const answer = await membership.call(view.name, key, {}, askMs);
        await this.take(v.parse(document, answer), view.name);
      } catch (error) {
        failure = toChimeError(error).message;
      }
    }
    return failure;
  }

  /** One after the other: an operator's word may come while another document is being written. */
  take(document: D, from: string): Promise<void> {
    const turn = this.#turn.then(() => this.#takeNow(document, from));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #takeNow(document: D, from: string): Promise<void> {
    await this.#rotated.take(document, from);
    await this.#publish();
  }

  /** Of those that are able, are there, and know of rotations. */
  isFirst(others: readonly Other<S>[]): boolean {
    const { membership } = this.#options;
    const able = others.filter(
      ({ view, state }) => state !== null && view.state === "alive" && !membership.isWitness(view.name),
    );
    return this.#rotated.isAble() && able.every(({ view }) => view.index > membership.self.index);
  }

  others(): Other<S>[] {
    const { membership } = this.#options;
    return membership
      .members()
      .filter(({ index, state }) => index !== membership.self.index && state !== "left")
      .map((view) => ({ view, state: this.#publishedBy(view) }));
  }

  #publishedBy({ roleState }: MemberView): S | null {
    const parsed = v.safeParse(this.#rotated.state, roleState[this.#rotated.key]);
    return parsed.success ? parsed.output : null;
  }

  /** Those that are there and not through with this node's document. */
  late(others: readonly Other<S>[] = this.others()): Other<S>[] {
    const { own, isThrough } = this.#rotated;
    const { id } = own();
    return others.filter((other) => isThere(other) && !(other.state?.id === id && isThrough(other.state)));
  }

  /** @throws ChimeError `CODE.old_member` (exit 3) where one that is there knows of no such rotation */
  requireNewMembers(): void {
    const old = this.others().filter((other) => isThere(other) && other.state === null);
    if (old.length === 0) return;
    throw refused(
      `${this.#rotated.code}.old_member`,
      `${namesOf(old)} runs an older chime-node, which knows of no rotation, or has only just started`,
      "upgrade it first: docs/operations.md",
    );
  }

  progress(): RotationProgress {
    const { own, isSettled, isThrough, task } = this.#rotated;
    const others = this.others();
    const late = namesOf([
      ...(isThrough(own()) ? [] : [{ view: this.#options.membership.self }]),
      ...this.late(others),
    ]);
    const done = isSettled() && late === "";
    const waiting = late === "" ? "going on" : `waiting for ${late} ${task()}`;
    const away = others.filter((other) => !isThere(other)).map(({ view }) => view.name);
    return { done, version: own().version, awaiting: done ? null : waiting, away };
  }

  /** How long a rotation is under way here already, ms; 0 where there is none. */
  get underWayMs(): number {
    return this.#since === undefined ? 0 : this.#options.clock.now() - this.#since;
  }

  stop(): void {
    this.#stopping.abort();
  }
}

/** One that is suspected may be back in a moment: it is waited for until it is dead. */
const isThere = ({ view }: { view: MemberView }): boolean =>
  view.state === "alive" || view.state === "suspect";

const namesOf = (others: readonly { view: { name: string } }[]): string =>
  others.map(({ view }) => view.name).join(" and ");

import { randomBytes } from "node:crypto";
import * as v from "valibot";
import type { Clock } from "../../core/clock.ts";
import { refused, toChimeError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import type { Credentials } from "../identity.ts";
import type { ClusterMembership } from "../membership.ts";
import { caPublicKey } from "../pki.ts";
import type { MemberView } from "../types.ts";
import type { HeldKeys } from "./held-keys.ts";
import {
  isGenuine,
  keyRing,
  nextRing,
  outdoes,
  ringState,
  signRing,
  stageOf,
  stateOf,
  type KeyRing,
  type RingState,
} from "./keyring.ts";

/** Which ring a member has stands in its record, under this key of `Member.roleState`. No role has that name. */
export const ringStateKey = "keyring";

/** Nobody waits for a key: until it is there the old one is as good. */
const followMs = 1_000;
/** A ring is a line; the other agent answers from its memory. */
const askMs = 5_000;

/** How far all members are with a rotation, for whoever waits for it. */
export interface RotationProgress {
  done: boolean;
  version: number;
  /** One line; null where it is done. */
  awaiting: string | null;
  /** Names of members that are not there: they get the keys as soon as they are. */
  away: string[];
}

export interface KeyRotationOptions {
  keys: HeldKeys;
  /** Durable when it resolves. */
  save: (ring: KeyRing) => Promise<void>;
  credentials: () => Pick<Credentials, "identity" | "ca" | "caKey">;
  membership: Pick<ClusterMembership, "self" | "members" | "update" | "call" | "handle" | "isWitness">;
  clock: Clock;
}

interface Other {
  view: MemberView;
  /** Null: an older version, or one that has only just started. */
  ring: RingState | null;
}

/**
 * Carries a new key from member to member, by the stages that follow from the ring (keyring.ts). Whoever hears that another
 * one has a later ring fetches it, over the agents' own TLS. The first member that is there and holds the CA makes the next
 * ring as soon as all that are there have this one: where it is gone, the next one goes on.
 */
export class KeyRotation {
  readonly #options: KeyRotationOptions;
  readonly #stopping = new AbortController();
  #turn: Promise<void> = Promise.resolve();
  #complaint: string | undefined;
  /** Since when a rotation is under way here, on the monotonic clock. */
  #since: number | undefined;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
    // A ring is every member's, a witness's too, and who asks is one.
    options.membership.handle("keyring", () => Promise.resolve(options.keys.ring));
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
    try {
      await this.#publish();
      const others = this.#others();
      for (const { view, ring } of others) if (ring) this.#options.keys.heard(view.index, ring.opens);
      const failure = await this.#fetchLater(others);
      await this.#goOn(others);
      this.#complain(failure);
    } catch (error) {
      this.#complain(toChimeError(error).message);
    }
    if (stageOf(this.#options.keys.ring) === "settled") this.#since = undefined;
    else this.#since ??= this.#options.clock.now();
  }

  /** Once for each thing that stays as it is. */
  #complain(failure: string | undefined): void {
    if (failure !== undefined && failure !== this.#complaint) log.warn("gossip's keys:", failure);
    this.#complaint = failure;
  }

  async #publish(): Promise<void> {
    const { membership, keys } = this.#options;
    const { roleState } = membership.self;
    const state = stateOf(keys.ring);
    if (Bun.deepEquals(roleState[ringStateKey], state)) return;
    await membership.update({ roleState: { ...roleState, [ringStateKey]: state } });
  }

  /** Those that are not there are asked in vain, and for long. @returns what went wrong, which holds up nobody else */
  async #fetchLater(others: readonly Other[]): Promise<string | undefined> {
    const { keys, membership } = this.#options;
    let failure: string | undefined;
    let own = stateOf(keys.ring);
    for (const { view, ring } of others) {
      if (view.state !== "alive" || !ring || !outdoes(ring, own)) continue;
      try {
        const answer = await membership.call(view.name, "keyring", {}, askMs);
        await this.#takeUp(v.parse(keyRing, answer), view.name);
        own = stateOf(keys.ring);
      } catch (error) {
        failure = toChimeError(error).message;
      }
    }
    return failure;
  }

  async #takeUp(ring: KeyRing, from: string): Promise<void> {
    const { ca, identity } = this.#options.credentials();
    if (!isGenuine(caPublicKey(ca), identity.cluster.id, ring)) {
      throw refused("keys.forged", `${from} offers keys for gossip that the cluster's CA did not sign`);
    }
    await this.#take(ring);
  }

  /** One after the other: an operator's word may come while another ring is being written. */
  #take(ring: KeyRing): Promise<void> {
    const turn = this.#turn.then(() => this.#takeNow(ring));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** What this node says to hold is on its disk. */
  async #takeNow(ring: KeyRing): Promise<void> {
    const { keys, save } = this.#options;
    if (!outdoes(stateOf(ring), stateOf(keys.ring))) return;
    await save(ring);
    keys.replace(ring);
    log.info(`gossip's keys: version ${ring.version}, ${words[stageOf(ring)]}`);
    await this.#publish();
  }

  async #goOn(others: readonly Other[]): Promise<void> {
    const { keys } = this.#options;
    const there = others.filter(isThere);
    const own = stateOf(keys.ring);
    keys.settle(there.every(({ ring }) => ring === null || ring.id === own.id));
    if (!this.#isFirst(others) || !there.every(({ ring }) => ring?.id === own.id)) return;
    const next = nextRing(keys.ring, undefined);
    if (next) await this.#sign(next);
  }

  /** @throws ChimeError `keys.witness` */
  async #sign(next: Omit<KeyRing, "signature">): Promise<void> {
    const { caKey, identity } = this.#options.credentials();
    if (!caKey) {
      throw refused(
        "keys.witness",
        `${identity.self.name} is a witness and can make no keys for the cluster`,
        "run chime-node keys rotate on a member that is not a witness",
      );
    }
    await this.#take(signRing(caKey, identity.cluster.id, next));
  }

  /** Of those that hold the CA, are there, and know of rotations. */
  #isFirst(others: readonly Other[]): boolean {
    const { credentials, membership } = this.#options;
    const { caKey, identity } = credentials();
    const able = others.filter(
      ({ view, ring }) => ring !== null && view.state === "alive" && !membership.isWitness(view.name),
    );
    return caKey !== undefined && able.every(({ view }) => view.index > identity.self.index);
  }

  #others(): Other[] {
    const { membership } = this.#options;
    return membership
      .members()
      .filter(({ index, state }) => index !== membership.self.index && state !== "left")
      .map((view) => ({ view, ring: publishedBy(view) }));
  }

  /**
   * Gives the cluster another key, or does nothing where that is under way.
   * @throws ChimeError `keys.witness`, `keys.old_member` (exit 3, nothing touched)
   */
  async begin(): Promise<void> {
    const { keys } = this.#options;
    if (stageOf(keys.ring) !== "settled") return;
    const there = this.#others().filter(isThere);
    const old = there.filter(({ ring }) => ring === null);
    if (old.length > 0) {
      throw refused(
        "keys.old_member",
        `${namesOf(old)} runs an older chime-node, which knows of no rotation, or has only just started`,
        "upgrade it first: docs/operations.md",
      );
    }
    const own = stateOf(keys.ring);
    const next = nextRing(keys.ring, randomBytes(32).toString("base64"));
    // Where some have another ring, one is just coming to its end.
    if (next && there.every(({ ring }) => ring?.id === own.id)) await this.#sign(next);
  }

  progress(): RotationProgress {
    const { ring } = this.#options.keys;
    const own = stateOf(ring);
    const stage = stageOf(ring);
    const others = this.#others();
    const late = others.filter((other) => isThere(other) && other.ring?.id !== own.id);
    const done = stage === "settled" && late.length === 0;
    const waiting = late.length > 0 ? `waiting for ${namesOf(late)} ${tasks[stage]}` : "going on";
    const away = others.filter((other) => !isThere(other)).map(({ view }) => view.name);
    return { done, version: ring.version, awaiting: done ? null : waiting, away };
  }

  /** How long a rotation is under way here already, ms; 0 where there is none. */
  get underWayMs(): number {
    return this.#since === undefined ? 0 : this.#options.clock.now() - this.#since;
  }

  stop(): void {
    this.#stopping.abort();
  }
}

const words = {
  adding: "a new one opens",
  switching: "the new one seals",
  settled: "the old one is dropped",
};
const tasks = {
  adding: "to hold the new key",
  switching: "to seal with the new key",
  settled: "to drop the old key",
};

/** One that is suspected may be back in a moment: it is waited for until it is dead. */
const isThere = ({ view }: Other): boolean => view.state === "alive" || view.state === "suspect";

const namesOf = (others: readonly Other[]): string => others.map(({ view }) => view.name).join(" and ");

function publishedBy({ roleState }: MemberView): RingState | null {
  const parsed = v.safeParse(ringState, roleState[ringStateKey]);
  return parsed.success ? parsed.output : null;
}

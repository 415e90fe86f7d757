import { randomBytes } from "node:crypto";
import { refused } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import type { Credentials } from "../identity.ts";
import { caPublicKey } from "../pki.ts";
import { Rotation, type RotationOptions, type RotationProgress } from "../rotation.ts";
import { signer, trustedCas } from "../trust.ts";
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

export interface KeyRotationOptions extends RotationOptions {
  keys: HeldKeys;
  /** Durable when it resolves. */
  save: (ring: KeyRing) => Promise<void>;
  credentials: () => Pick<Credentials, "identity" | "ca" | "caKey" | "rollover" | "next">;
}

/** Carries a new key from member to member, by the stages that follow from the ring (keyring.ts). */
export class KeyRotation {
  readonly #options: KeyRotationOptions;
  readonly #rotation: Rotation<KeyRing, RingState>;

  constructor(options: KeyRotationOptions) {
    this.#options = options;
    const { keys, credentials } = options;
    this.#rotation = new Rotation(
      {
        subject: "gossip's keys",
        code: "keys",
        key: ringStateKey,
        document: keyRing,
        state: ringState,
        held: () => this.#held(),
        own: () => stateOf(keys.ring),
        outdoes,
        isThrough: () => true,
        take: (ring, from) => this.#take(ring, from),
        heard(others, agreed) {
          for (const { view, state } of others) if (state) keys.heard(view.index, state.opens);
          keys.settle(agreed);
        },
        goOn: () => this.#goOn(undefined),
        isAble: () => signer(credentials()) !== undefined,
        isSettled: () => stageOf(keys.ring) === "settled",
        task: () => tasks[stageOf(keys.ring)],
      },
      options,
    );
    this.#rotation.start();
  }

  /** With the present CA's signature where this node can give it: the CA before may have signed it, and be rotated away. */
  #held(): KeyRing {
    const { keys, credentials } = this.#options;
    const { identity } = credentials();
    const authority = signer(credentials());
    const { ring } = keys;
    if (!authority || ring.version === 0 || isGenuine(caPublicKey(authority.cert), identity.cluster.id, ring))
      return ring;
    return signRing(authority.key, identity.cluster.id, ring);
  }

  /** What this node says to hold is on its disk. */
  async #take(ring: KeyRing, from: string): Promise<void> {
    const { keys, save, credentials } = this.#options;
    const { identity } = credentials();
    if (!trustedCas(credentials()).some((ca) => isGenuine(caPublicKey(ca), identity.cluster.id, ring))) {
      throw refused("keys.forged", `${from} offers keys for gossip that the cluster's CA did not sign`);
    }
    if (!outdoes(stateOf(ring), stateOf(keys.ring))) return;
    await save(ring);
    keys.replace(ring);
    log.info(`gossip's keys: version ${ring.version}, ${words[stageOf(ring)]}`);
  }

  /** @param fresh a key for a settled ring @throws ChimeError `keys.witness` */
  async #goOn(fresh: string | undefined): Promise<void> {
    const next = nextRing(this.#options.keys.ring, fresh);
    if (!next) return;
    const { identity } = this.#options.credentials();
    const authority = signer(this.#options.credentials());
    const { name } = identity.self;
    if (!authority) {
      throw refused(
        "keys.witness",
        `${name} is a witness and can make no keys for the cluster`,
        "run chime-node keys rotate on a member that is not a witness",
      );
    }
    await this.#rotation.take(signRing(authority.key, identity.cluster.id, next), name);
  }

  /**
   * Gives the cluster another key, or does nothing where that is under way.
   * @throws ChimeError `keys.witness`, `keys.old_member` (exit 3, nothing touched)
   */
  async begin(): Promise<void> {
    if (stageOf(this.#options.keys.ring) !== "settled") return;
    this.#rotation.requireNewMembers();
    // Where some have another ring, one is just coming to its end.
    if (this.#rotation.late().length === 0) await this.#goOn(randomBytes(32).toString("base64"));
  }

  progress(): RotationProgress {
    return this.#rotation.progress();
  }

  /** How long a rotation is under way here already, ms; 0 where there is none. */
  get underWayMs(): number {
    return this.#rotation.underWayMs;
  }

  stop(): void {
    this.#rotation.stop();
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

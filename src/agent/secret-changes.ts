import * as v from "valibot";
import type { ClusterMembership } from "../cluster/membership.ts";
import {
  isLater,
  isRetired,
  unchanged,
  type SecretState,
  type SecretStore,
} from "../cluster/secret-store.ts";
import type { MemberView, RoleName } from "../cluster/types.ts";
import { failed, refused, toChimeError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { ChangingSecret, Problem } from "../roles/guard.ts";
import { secretsOf, type AgentReport } from "./report.ts";

/** A value is a line; the other agent answers from its memory. */
const askMs = 5_000;
/** An operator's change is over by then where all nodes are there. */
const quietMs = 60_000;

const asked = v.object({ role: v.string(), name: v.string(), id: v.string() });
const answered = v.object({ value: v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{8,128}$/)) });

/** How far all nodes are with a change, for whoever waits for it. */
export interface ChangeProgress {
  done: boolean;
  /** One line; null where it is done. */
  awaiting: string | null;
}

/** Whose secret it is: an application's is replaced by another one beside it. */
export type Whose = "administrator" | "application";

interface Changing {
  role: RoleName;
  name: string;
  /** As it is published. */
  key: string;
  whose: Whose;
}

interface Deps {
  membership: Pick<ClusterMembership, "self" | "members" | "call" | "handle" | "isWitness">;
  store: SecretStore;
  roles: readonly { name: RoleName; rotates?: readonly string[]; replaces?: readonly string[] }[];
  /** Whether the role's service runs here, so that its guard says when a value is taken. */
  isServed: (role: RoleName) => boolean;
  /** What its guard waits for with a change, one line; undefined: for nothing that is known. */
  awaiting: (role: RoleName, name: string) => string | undefined;
  /** Has this node's files follow. */
  reconcile(): Promise<void>;
  clock: { now(): number };
}

/**
 * Carries the new value of a secret from node to node. Whoever hears that another one has a later value fetches it, over the
 * agents' own TLS, and holds it; the guards of the role's nodes say when it is taken. What was begun goes on whoever began it
 * is gone: each step follows from what the nodes have and say.
 */
export class SecretChanges {
  readonly #deps: Deps;
  #following = false;
  /** Since when a change is under way here, on the monotonic clock. */
  #since: number | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
    deps.membership.handle("secrets.value", async (params, from) => this.#tell(params, from));
  }

  #names(): Changing[] {
    return this.#deps.roles.flatMap(({ name: role, rotates = [], replaces = [] }) =>
      [...rotates, ...replaces].map((name) => ({
        role,
        name,
        key: `${role}.${name}`,
        whose: rotates.includes(name) ? "administrator" : "application",
      })),
    );
  }

  #isReplaced(role: RoleName, name: string): boolean {
    return this.#names().some((one) => one.role === role && one.name === name && one.whose === "application");
  }

  /** What this node publishes. */
  published(): AgentReport["secrets"] {
    const { store } = this.#deps;
    const all = this.#names().flatMap(({ role, name, key }) => {
      const state = store.state(role, name);
      return state ? [[key, state] as const] : [];
    });
    return Object.fromEntries(all);
  }

  of(role: RoleName, name: string): ChangingSecret | undefined {
    const own = this.#deps.store.state(role, name);
    return own && { own, others: () => statesOf(`${role}.${name}`, this.#others()) };
  }

  async take(role: RoleName, name: string): Promise<void> {
    await this.#take(role, name);
    await this.#deps.reconcile();
  }

  #take(role: RoleName, name: string): Promise<void> {
    const { store } = this.#deps;
    return this.#isReplaced(role, name) ? store.replace(role, name) : store.take(role, name);
  }

  prove(role: RoleName, name: string): Promise<void> {
    return this.#deps.store.prove(role, name);
  }

  retire(role: RoleName, name: string): Promise<void> {
    return this.#deps.store.retire(role, name);
  }

  use(role: RoleName, name: string): Promise<void> {
    return this.#deps.store.use(role, name);
  }

  /**
   * Gives a role's secrets other values, of which this node's guards and the other nodes hear within a second; goes on with
   * what is under way.
   * @throws ChimeError `secrets.member_away`, `secrets.old_member`, `secrets.not_retired` (exit 3, nothing touched)
   */
  async begin(role: RoleName, whose: Whose = "administrator"): Promise<void> {
    const { store } = this.#deps;
    const names = this.#names().filter((one) => one.role === role && one.whose === whose);
    if (!names.every(({ name }) => store.state(role, name))) {
      throw refused("secrets.not_here", `${this.#deps.membership.self.name} holds no passwords`);
    }
    if (!this.progress(role, whose).done) return;
    if (names.some(({ name }) => store.state(role, name)?.beside?.old)) throw notRetired(role);
    requireAll(
      role,
      this.#others().filter((member) => member.roles.includes(role)),
      names,
    );
    for (const { name } of names) await store.begin(role, name);
    log.info(`${role}: another ${names.map(({ name }) => name).join(", ")} was made`);
  }

  progress(role: RoleName, whose: Whose = "administrator"): ChangeProgress {
    const { store, awaiting } = this.#deps;
    const members = this.#others().filter((member) => member.roles.includes(role));
    const found = this.#names().filter((one) => one.role === role && one.whose === whose);
    const lines = found.flatMap(
      ({ name, key }) =>
        progressOf(key, store.state(role, name), members, () => awaiting(role, name)).awaiting ?? [],
    );
    return { done: lines.length === 0, awaiting: lines[0] ?? null };
  }

  /**
   * To be asked before what applications used before is refused: while another value is on its way, a node may begin to take it
   * beside the new one later.
   * @throws ChimeError `secrets.changing` (exit 3)
   */
  requireChanged(role: RoleName): void {
    const { awaiting } = this.progress(role, "application");
    if (awaiting === null) return;
    throw refused(
      "secrets.changing",
      `${role}: the change before is still under way: ${awaiting}`,
      "bring the missing node back, or chime-node remove it; run this again when that is over: chime-node status",
    );
  }

  /** How far all nodes are with refusing what applications used before. */
  retiring(role: RoleName): ChangeProgress {
    const { store } = this.#deps;
    const found = this.#names().filter((one) => one.role === role && one.whose === "application");
    // One that is away refuses it when it is back.
    const heard = this.#others().filter(({ state }) => state !== "dead");
    const late = found.flatMap(({ name, key }) => {
      const own = store.state(role, name)?.beside?.old ?? null;
      const others = [...statesOf(key, heard)].filter(([, { beside }]) => beside?.old != null);
      return [...(own === null ? [] : ["this node"]), ...others.map(([node]) => node)];
    });
    return {
      done: late.length === 0,
      awaiting: late.length === 0 ? null : `waiting for ${late.join(" and ")} to refuse it`,
    };
  }

  /** To be called each second: takes over what others have and this node lacks. */
  async follow(): Promise<void> {
    if (this.#following) return;
    this.#following = true;
    try {
      for (const one of this.#names()) await this.#followOne(one);
    } catch (error) {
      log.warn("a changed secret:", toChimeError(error).message);
    } finally {
      this.#following = false;
    }
  }

  async #followOne({ role, name, key }: Changing): Promise<void> {
    const { store, isServed } = this.#deps;
    const own = store.state(role, name);
    if (!own) return;
    // A dead one would be asked in vain at every turn, and nobody after it.
    const heard = this.#others().filter(({ state }) => state === "alive");
    const latest = latestOf(own, statesOf(key, heard));
    if (latest) {
      const { membership } = this.#deps;
      const answer = await membership.call(
        latest.node,
        "secrets.value",
        { role, name, id: latest.id },
        askMs,
      );
      await store.keep(role, name, latest.id, v.parse(answered, answer).value);
      return;
    }
    // Nobody here goes by it: it is kept for those who join, as soon as anybody does.
    if (isServed(role)) return;
    if (isRetired(own, [...statesOf(key, this.#others()).values()])) await store.retire(role, name);
    if (own.next === null) {
      // Taken before its role ran here, or just before a power cut.
      if (own.used !== own.current) await store.use(role, name);
      return;
    }
    const isTaken = [...statesOf(key, this.#others()).values()].some(({ current }) => current === own.next);
    if (!isTaken) return;
    await this.#take(role, name);
    await store.use(role, name);
  }

  #tell(params: unknown, from: string): { value: string } {
    const { role, name, id } = v.parse(asked, params);
    if (this.#deps.membership.isWitness(from)) {
      throw refused("secrets.not_here", `${from} is a witness, which holds no passwords`);
    }
    const isOne = this.#names().some((one) => one.role === role && one.name === name);
    const value = isOne ? this.#deps.store.value(role, name, id) : undefined;
    if (value === undefined) throw failed("secrets.unknown", "this node does not hold that value any more");
    return { value };
  }

  #others(): MemberView[] {
    const { membership } = this.#deps;
    return membership
      .members()
      .filter(({ name, state }) => name !== membership.self.name && state !== "left");
  }

  /** What has not come to its end for a while. */
  problems(): Problem[] {
    const { store, membership, clock, isServed } = this.#deps;
    const open = this.#names().filter(({ role, name }) => {
      const own = store.state(role, name);
      return isServed(role) && own && (own.next !== null || own.used !== own.current);
    });
    if (open.length === 0) this.#since = undefined;
    else this.#since ??= clock.now();
    if (this.#since === undefined || clock.now() - this.#since < quietMs) return [];
    // One command changes all that are of one kind.
    const changes = new Map(open.map((one) => [`${one.role} ${one.whose}`, one]));
    return [...changes.values()].map(({ role, whose }) => ({
      code: "secrets.changing",
      severity: "warning",
      node: membership.self.name,
      message: `${role}: a change of its secrets is under way: ${this.progress(role, whose).awaiting ?? "it ends in a moment"}`,
      remedy: `bring back the node that it waits for (chime-node status there says what its server lacks), or chime-node remove it; ${rotateCommand(role, whose)} goes on waiting`,
    }));
  }
}

/** Pure: what the others say of a secret, by node. */
function statesOf(
  key: string,
  members: readonly Pick<MemberView, "name" | "roleState">[],
): Map<string, SecretState> {
  return new Map(
    members.flatMap((member) => {
      const state = secretsOf(member)?.[key];
      return state ? [[member.name, state] as const] : [];
    }),
  );
}

/** Pure: the latest value that another node has and this one does not; undefined where there is none. */
function latestOf(
  own: SecretState,
  others: ReadonlyMap<string, SecretState>,
): { node: string; id: string } | undefined {
  let best: { node: string; id: string } | undefined;
  for (const [node, { current, next }] of others) {
    for (const id of next === null ? [current] : [current, next]) {
      const known =
        best?.id ?? (own.next !== null && isLater(own.next, own.current) ? own.next : own.current);
      if (isLater(id, known)) best = { node, id };
    }
  }
  return best;
}

const rotateCommand = (role: RoleName, whose: Whose): string =>
  `chime-node secrets rotate --role ${role}${whose === "application" ? " --application" : ""}`;

function notRetired(role: RoleName) {
  return refused(
    "secrets.not_retired",
    `${role}: applications may still use what they had before the last change`,
    `chime-node secrets retire --role ${role}, once all of them have the new one`,
  );
}

/** Pure: how far this node and the others are. */
function progressOf(
  key: string,
  own: SecretState | undefined,
  members: readonly Pick<MemberView, "name" | "roleState" | "state">[],
  awaitingHere: () => string | undefined,
): ChangeProgress {
  if (!own) return { done: true, awaiting: null };
  const wanted = own.next ?? own.current;
  const states = statesOf(key, members);
  const lacks = members.filter(({ name }) => {
    const { current, next } = states.get(name) ?? unchanged;
    return current !== wanted && next !== wanted;
  });
  if (lacks.length > 0) return { done: false, awaiting: `waiting for ${withLiveness(lacks)} to hear of it` };
  if (own.next !== null)
    return { done: false, awaiting: awaitingHere() ?? "waiting for this node to take it" };
  const late = members.filter(({ name }) => {
    const { current, used } = states.get(name) ?? unchanged;
    return current !== wanted || used !== wanted;
  });
  if (own.used !== own.current)
    return { done: false, awaiting: awaitingHere() ?? "waiting for this node's server to go by it" };
  if (late.length === 0) return { done: true, awaiting: null };
  return { done: false, awaiting: `waiting for the server of ${withLiveness(late)} to go by it` };
}

const namesOf = (members: readonly { name: string }[]): string =>
  members.map(({ name }) => name).join(" and ");

const withLiveness = (members: readonly Pick<MemberView, "name" | "state">[]): string =>
  members.map(({ name, state }) => (state === "dead" ? `${name} (not heard)` : name)).join(" and ");

/** All of the role's nodes have to be there before anything is begun. */
function requireAll(role: RoleName, others: readonly MemberView[], names: readonly Changing[]): void {
  const away = others.filter(({ state }) => state !== "alive");
  if (away.length > 0) {
    throw refused(
      "secrets.member_away",
      `${namesOf(away)} cannot be reached: every node of ${role} has to go by the same password`,
      `start ${namesOf(away)}, or chime-node remove ${away[0]?.name}`,
    );
  }
  const old = others.filter((member) => names.some(({ key }) => !secretsOf(member)?.[key]));
  if (old.length === 0) return;
  throw refused(
    "secrets.old_member",
    `${namesOf(old)} runs an older chime-node, which knows of no change`,
    "upgrade it first: docs/operations.md",
  );
}

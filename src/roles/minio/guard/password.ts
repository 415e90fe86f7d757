import type { SecretState } from "../../../cluster/secret-store.ts";
import { log } from "../../../core/log.ts";
import type { GuardDeps } from "../../guard.ts";
import { minioSpec, roleName } from "../layout.ts";
import type { PublishedStart } from "../published.ts";
import { quorumOf } from "../quorum.ts";
import { fellowsOf, type NamedFellow } from "./fellows.ts";
import type { Cause, HeldRestart } from "./held-restart.ts";
import { serverOf, type PasswordServer } from "./password-server.ts";
import { nextStep, type Next, type Step } from "./password-step.ts";
import type { StartedWith } from "./restart-step.ts";

/** The administrator's, by its name in secrets.toml. */
export const passwordName = "root_password";

/** Gives this node's server another password of the administrator. */
export class PasswordChange implements Cause {
  readonly name = "password";
  readonly while = "the password of its administrator is changed";
  readonly #deps: GuardDeps;
  readonly #restarts: HeldRestart;
  readonly #server: PasswordServer;
  #own: PublishedStart | undefined;
  #next: Next = { step: "none", awaiting: null };

  constructor(
    deps: GuardDeps,
    restarts: HeldRestart,
    signal: AbortSignal,
    server: PasswordServer = serverOf(deps, signal),
  ) {
    this.#deps = deps;
    this.#restarts = restarts;
    this.#server = server;
    restarts.serve(this);
  }

  /** To be called each second. */
  async advance(): Promise<void> {
    this.#next = await this.#look();
    const { step } = this.#next;
    if (step === "take" || step === "write") {
      await this.#deps.takeSecret(passwordName);
    } else if (step === "used") {
      await this.#deps.useSecret(passwordName);
      this.#restarts.reached();
      log.info("minio: the server goes by the new password of its administrator");
    } else if (restarts(step)) await this.#restarts.begin(step, this);
  }

  async #look(): Promise<Next> {
    const own = this.#deps.secret(passwordName)?.own;
    if (!own || own.used === own.current) {
      this.#own = own && { current: own.current, used: own.current, old: false };
      if (!own || own.next === null) return { step: "none", awaiting: null };
    }
    const context = this.#deps.context();
    const { topology, nodes, disksPerNode } = minioSpec(context);
    const password = context.secrets[roleName]?.[passwordName] ?? "";
    const isWritten = await this.#server.isWritten(password);
    const isOld = await this.#server.isOld();
    // Asked after that: one that was seen to answer before may have been the old one.
    const isSettled = !isOld && (await this.#server.isSettled());
    if (own.used !== own.current) {
      const used = isWritten && isSettled ? own.current : null;
      this.#own = { current: isWritten ? own.current : own.used, used, old: isOld };
    }
    return nextStep({
      topology,
      index: context.self.index,
      own,
      holders: this.#holders(),
      others: this.others(),
      isWritten,
      isOld,
      isSettled,
      hasVip: this.#deps.hasVip(),
      spare: topology === "pool" ? quorumOf({ nodes, drivesPerNode: disksPerNode }).writes.nodes : 0,
    });
  }

  /** As it is published: what its server's settings have, and what that runs with. */
  own(): PublishedStart | undefined {
    return this.#own;
  }

  /** What a change waits for here, one line; null: nothing is known that it does. */
  awaiting(): string | null {
    const { step, awaiting } = this.#next;
    return restarts(step) ? (this.#restarts.awaiting ?? null) : awaiting;
  }

  others(): NamedFellow<StartedWith>[] {
    const states = this.#deps.secret(passwordName)?.others();
    // An older member tells of no settings.
    const fellows = fellowsOf(this.#deps, (name, said) => said?.password ?? states?.get(name));
    return fellows.filter(({ isGuarded }) => isGuarded);
  }

  #holders(): NamedFellow<SecretState>[] {
    const states = this.#deps.secret(passwordName)?.others();
    return fellowsOf(this.#deps, (name) => states?.get(name));
  }

  isOld(): Promise<boolean> {
    return this.#server.isOld();
  }
}

const restarts = (step: Step): step is "restart" | "restart-all" =>
  step === "restart" || step === "restart-all";

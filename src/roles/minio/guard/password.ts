import type { SecretState } from "../../../cluster/secret-store.ts";
import { log } from "../../../core/log.ts";
import type { GuardDeps } from "../../guard.ts";
import { minioSpec, roleName } from "../layout.ts";
import { fellowsOf, type NamedFellow } from "./fellows.ts";
import type { Cause, HeldRestart } from "./held-restart.ts";
import { serverOf, type PasswordServer } from "./password-server.ts";
import { nextStep, type Step } from "./password-step.ts";

/** The administrator's, by its name in secrets.toml. */
export const passwordName = "root_password";

/** Gives this node's server another password of the administrator. */
export class PasswordChange implements Cause {
  readonly name = "password";
  readonly while = "the password of its administrator is changed";
  readonly #deps: GuardDeps;
  readonly #restarts: HeldRestart;
  readonly #server: PasswordServer;

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
    const step = await this.#step();
    if (step === "take" || step === "write") {
      await this.#deps.takeSecret(passwordName);
    } else if (step === "used") {
      await this.#deps.useSecret(passwordName);
      this.#restarts.reached();
      log.info("minio: the server goes by the new password of its administrator");
    } else if (step === "restart" || step === "restart-all") await this.#restarts.begin(step, this);
  }

  async #step(): Promise<Step> {
    const own = this.own();
    if (!own || (own.next === null && own.used === own.current)) return "none";
    const context = this.#deps.context();
    const password = context.secrets[roleName]?.[passwordName] ?? "";
    const isWritten = await this.#server.isWritten(password);
    const isOld = await this.#server.isOld();
    // Asked after that: one that was seen to answer before may have been the old one.
    const reads = !isOld && (await this.#server.reads());
    return nextStep({
      topology: minioSpec(context).topology,
      index: context.self.index,
      own,
      others: this.others(),
      isWritten,
      isOld,
      reads,
      hasVip: this.#deps.hasVip(),
    });
  }

  own(): SecretState | undefined {
    return this.#deps.secret(passwordName)?.own;
  }

  others(): NamedFellow<SecretState>[] {
    const states = this.#deps.secret(passwordName)?.others();
    return fellowsOf(this.#deps, (name) => states?.get(name));
  }

  isOld(): Promise<boolean> {
    return this.#server.isOld();
  }
}

import * as v from "valibot";
import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { haproxy } from "../../../vip/balancer/haproxy.ts";
import { serves, type Balancer } from "../../../vip/balancer/types.ts";
import type { GuardDeps } from "../../guard.ts";
import { minioSpec, nodes, roleName } from "../layout.ts";
import { publishedBy } from "../published.ts";
import { serverOf, type PasswordServer } from "./password-server.ts";
import { nextStep, type Fellow, type Step } from "./password-step.ts";

/** The administrator's, by its name in secrets.toml. */
export const passwordName = "root_password";

/** By which one node's guard has the others hold their clients and restart: `guard.minio.password-hold`, … */
const passwordMethods = { hold: "password-hold", restart: "password-restart" } as const;

/** Clients wait so long at most while the servers are restarted. */
const holdSeconds = 30;
/** What is under way has so long to end; larger objects are begun again by their clients. */
const drainMs = 10_000;
const lookMs = 50;
const tellMs = drainMs + 5_000;
/** A restart that came to nothing is begun again no sooner: in between clients are served. */
const againMs = 2 * holdSeconds * 1_000;

const restartParams = v.object({ id: v.string() });

/**
 * Gives this node's server another password of the administrator. Meanwhile requests wait in the balancer in place of being
 * refused.
 */
export class PasswordChange {
  readonly #deps: GuardDeps;
  readonly #signal: AbortSignal;
  readonly #server: PasswordServer;
  readonly #balancer: Pick<Balancer, "hold" | "release" | "view">;
  /** From when on servers may be restarted once more, on the monotonic clock. */
  #againFrom = 0;
  /** Until when clients are held at this node, on the monotonic clock. */
  #heldUntil: number | undefined;

  constructor(
    deps: GuardDeps,
    signal: AbortSignal,
    server: PasswordServer = serverOf(deps, signal),
    balancer: Pick<Balancer, "hold" | "release" | "view"> = haproxy,
  ) {
    this.#deps = deps;
    this.#signal = signal;
    this.#server = server;
    this.#balancer = balancer;
  }

  /** This node's server is restarted, and its clients wait for it: nothing is to be moved. */
  get isUnderWay(): boolean {
    return this.#heldUntil !== undefined;
  }

  /** What an agent before this one held goes on: at the latest when its time is over. */
  async start(): Promise<void> {
    try {
      await this.#balancer.release(roleName);
    } catch (error) {
      log.warn(`minio: ${toChimeError(error).message}`);
    }
  }

  /** To be called each second. */
  async advance(): Promise<void> {
    const step = await this.#step();
    if (step === "take" || step === "write") {
      await this.#deps.takeSecret(passwordName);
    } else if (step === "used") {
      await this.#deps.useSecret(passwordName);
      this.#againFrom = 0;
      log.info("minio: the server goes by the new password of its administrator");
    } else if (step === "restart" || step === "restart-all") await this.#restart(step);
  }

  async #step(): Promise<Step> {
    const secret = this.#deps.secret(passwordName);
    const { own } = secret ?? {};
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
      others: this.#fellows(),
      isWritten,
      isOld,
      reads,
      hasVip: this.#deps.vip() === "MASTER",
    });
  }

  #fellows(): (Fellow & { name: string; isWhole: boolean })[] {
    const { membership } = this.#deps;
    const states = this.#deps.secret(passwordName)?.others();
    const present = nodes(membership.members()).filter(
      ({ name, state }) => name !== membership.self.name && state !== "left",
    );
    return present.map((member) => {
      const { name, index, state } = member;
      const said = publishedBy(member);
      return {
        name,
        index,
        alive: state !== "dead",
        isUp: said?.mirror?.up ?? said?.state === "serving",
        isWhole: said?.state === "serving" && said.attached,
        state: states?.get(name),
      };
    });
  }

  /** First all hold their clients, whoever has the VIP by now; then the servers are restarted. */
  async #restart(step: "restart" | "restart-all"): Promise<void> {
    const now = this.#deps.clock.now();
    if (now < this.#againFrom) return;
    this.#againFrom = now + againMs;
    if (step === "restart" && this.#deps.vip() !== "MASTER") return this.#restartOwn();
    const id = this.#deps.secret(passwordName)?.own.current;
    const others = step === "restart-all" ? this.#fellows().filter(({ alive }) => alive) : [];
    log.info("minio: requests wait while the password of its administrator is changed");
    await Promise.all([
      this.#hold(),
      ...others.map(({ name }) => this.#tell(name, passwordMethods.hold, {})),
    ]);
    const rest = others.map(({ name }) => this.#tell(name, passwordMethods.restart, { id }));
    await Promise.all([this.#restartOwn(), ...rest]);
  }

  async #tell(node: string, method: string, params: unknown): Promise<void> {
    try {
      await this.#deps.membership.call(node, `guard.${roleName}.${method}`, params, tellMs);
    } catch (error) {
      log.warn(`minio: ${node}: ${toChimeError(error).message}`);
    }
  }

  /** What another node's guard asks. Undefined: it is not about this. */
  async handle(method: string, params: unknown): Promise<null | undefined> {
    if (method === passwordMethods.hold) await this.#hold();
    else if (method === passwordMethods.restart) {
      const { id } = v.parse(restartParams, params);
      const own = this.#deps.secret(passwordName)?.own;
      if (own?.current !== id)
        throw failed(
          "minio.other_password",
          "this node goes by another password of the store's administrator",
        );
      await this.#restartOwn();
    } else return undefined;
    return null;
  }

  async #restartOwn(): Promise<void> {
    if (await this.#server.isOld()) await this.#server.restart();
  }

  async #hold(): Promise<void> {
    const { clock } = this.#deps;
    await this.#balancer.hold(roleName, holdSeconds);
    this.#heldUntil = clock.now() + holdSeconds * 1_000;
    const giveUp = clock.now() + drainMs;
    while (clock.now() < giveUp) {
      const own = (await this.#balancer.view()).filter(({ service }) => service === roleName);
      if (own.every(({ sessions }) => sessions === 0)) return;
      await clock.sleep(lookMs, this.#signal);
    }
    log.warn(`minio: what clients have under way did not end within ${drainMs / 1_000} s, and is broken off`);
  }

  /**
   * To be called often: lets clients go on as soon as they can be answered.
   * @param isWhole whether this node's server has found all that it needs
   */
  async settle(isWhole: boolean): Promise<void> {
    if (this.#heldUntil === undefined) return;
    const isLate = this.#deps.clock.now() > this.#heldUntil;
    if (!isLate && !(await this.#areServed(isWhole))) return;
    this.#heldUntil = undefined;
    await this.#balancer.release(roleName);
    log.info("minio: requests are answered again");
  }

  async #areServed(isWhole: boolean): Promise<boolean> {
    const own = this.#deps.secret(passwordName)?.own;
    if (!isWhole || own?.used !== own?.current) return false;
    const isPool = minioSpec(this.#deps.context()).topology === "pool";
    const alive = isPool ? this.#fellows().filter(({ alive }) => alive) : [];
    if (!alive.every(({ isWhole, state }) => isWhole && state?.used === own?.current)) return false;
    const view = await this.#balancer.view();
    return serves(view, roleName, "read") && serves(view, roleName, "write");
  }
}

import * as v from "valibot";
import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { haproxy } from "../../../vip/balancer/haproxy.ts";
import { serves, type Balancer } from "../../../vip/balancer/types.ts";
import { restartSoon } from "../../../host/systemd.ts";
import type { GuardDeps } from "../../guard.ts";
import { layout, minioSpec, roleName } from "../layout.ts";
import type { NamedFellow } from "./fellows.ts";
import type { RestartStep, StartedWith } from "./restart-step.ts";

/** Clients wait so long at most while the servers are restarted. */
const holdSeconds = 30;
/** What is under way has so long to end; larger objects are begun again by their clients. */
const drainMs = 10_000;
const lookMs = 50;
const tellMs = drainMs + 5_000;
/** A restart that came to nothing is begun again no sooner: in between clients are served. */
const againMs = 2 * holdSeconds * 1_000;

const restartParams = v.object({ id: v.string() });

/** This node's server at this moment. */
export interface Serving {
  writes: boolean;
  /** It has stored something on every drive since it started. */
  attached: boolean;
  /** It is known that it does not find every drive of the store: an agent that has just started knows nothing yet. */
  lacksDrives: boolean;
}

/** Whether this node's server may be restarted now, as far as other nodes' servers go that are restarted on purpose. */
export interface RestartTurn {
  /** @returns what it waits for; undefined: from now on no other one is restarted, until `end` */
  take(): Promise<string | undefined>;
  /** The server was not restarted, nor will be. */
  end(): void;
}

/** The servers of a pool are restarted at once. */
export const alone: RestartTurn = { take: () => Promise.resolve(undefined), end() {} };

/** What servers are restarted for. */
export interface Cause {
  /** One node's guard has the others hold their clients and restart by it: `guard.minio.NAME-hold`, `guard.minio.NAME-restart`. */
  readonly name: string;
  /** For the journal: requests wait while … */
  readonly while: string;
  /** Undefined: this node's server reads no such thing. */
  own(): StartedWith | undefined;
  others(): readonly NamedFellow<StartedWith>[];
  /** This node's server was started before what is there. */
  isOld(): Promise<boolean>;
}

/**
 * Restarts servers for what they read when they start, and never again. Meanwhile requests wait in the balancer in place of
 * being refused.
 */
export class HeldRestart {
  readonly #deps: GuardDeps;
  readonly #serving: () => Serving;
  readonly #turn: RestartTurn;
  readonly #signal: AbortSignal;
  readonly #restartServer: () => Promise<void>;
  readonly #balancer: Pick<Balancer, "hold" | "release" | "view">;
  readonly #causes: Cause[] = [];
  /** From when on servers may be restarted once more, on the monotonic clock. */
  #againFrom = 0;
  #awaiting: string | undefined;
  /** Until when clients are held at this node, on the monotonic clock. */
  #heldUntil: number | undefined;
  /** Whose agents were heard when that began: others would be waited for in vain. */
  #heard = new Set<string>();
  /** Nobody knew of a drive that was away when that began: so servers find them all again, which is waited for. */
  #wasWhole = true;

  /** @param restartServer waits for nothing */
  constructor(
    deps: GuardDeps,
    serving: () => Serving,
    turn: RestartTurn,
    signal: AbortSignal,
    restartServer: () => Promise<void> = () => restartSoon(layout(deps.context()).product.unit),
    balancer: Pick<Balancer, "hold" | "release" | "view"> = haproxy,
  ) {
    this.#deps = deps;
    this.#serving = serving;
    this.#turn = turn;
    this.#signal = signal;
    this.#restartServer = restartServer;
    this.#balancer = balancer;
  }

  /** Clients are let go on when this node's server, and the others', have been started with all of these. */
  serve(cause: Cause): void {
    this.#causes.push(cause);
  }

  /** This node's server is restarted, and its clients wait for it: nothing is to be moved. */
  get isUnderWay(): boolean {
    return this.#heldUntil !== undefined;
  }

  /** What its turn waits for, one line, as it was last asked; undefined: for nothing. */
  get awaiting(): string | undefined {
    return this.#awaiting;
  }

  /** What an agent before this one held goes on: at the latest when its time is over. */
  async start(): Promise<void> {
    try {
      await this.#balancer.release(roleName);
    } catch (error) {
      log.warn(`minio: ${toChimeError(error).message}`);
    }
  }

  /** To be called again until it is done: it waits for its turn, and for what came to nothing before. */
  async begin(step: Exclude<RestartStep, "wait">, cause: Cause): Promise<void> {
    const now = this.#deps.clock.now();
    if (now < this.#againFrom) return;
    this.#againFrom = now + againMs;
    try {
      const awaiting = await this.#turn.take();
      this.#waitFor(awaiting);
      if (awaiting === undefined) await this.#restart(step, cause);
      else this.#againFrom = 0;
    } catch (error) {
      this.#turn.end();
      throw error;
    }
  }

  #waitFor(awaiting: string | undefined): void {
    if (awaiting !== undefined && awaiting !== this.#awaiting)
      log.info(`minio: the server is restarted later: ${awaiting}`);
    this.#awaiting = awaiting;
  }

  /** First all hold their clients, whoever has the VIP by now; then the servers are restarted. */
  async #restart(step: Exclude<RestartStep, "wait">, cause: Cause): Promise<void> {
    const isPool = minioSpec(this.#deps.context()).topology === "pool";
    // Of a mirror nobody else has clients answered by this node's server; of a pool whoever has the VIP does.
    if (!isPool && !this.#deps.hasVip()) return this.#restartInTurn(cause);
    const id = cause.own()?.current;
    const others = isPool ? cause.others().filter(({ alive }) => alive) : [];
    log.info(`minio: requests wait while ${cause.while}`);
    const tell = (method: string, params: unknown) =>
      others.map(({ name }) => this.#tell(name, `${cause.name}-${method}`, params));
    await Promise.all([this.#hold(), ...tell("hold", {})]);
    const restarts = step === "restart-all" ? tell("restart", { id }) : [];
    await Promise.all([this.#restartInTurn(cause), ...restarts]);
  }

  async #restartInTurn(cause: Cause): Promise<void> {
    if (!(await this.#restartOwn(cause))) this.#turn.end();
  }

  /** What servers were restarted for is reached: the next one need not wait. */
  reached(): void {
    this.#againFrom = 0;
    this.#awaiting = undefined;
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
    const cause = this.#causes.find(({ name }) => method === `${name}-hold` || method === `${name}-restart`);
    if (!cause) return undefined;
    if (method === `${cause.name}-hold`) await this.#hold();
    else {
      const { id } = v.parse(restartParams, params);
      if (cause.own()?.current !== id)
        throw failed("minio.not_the_same", `this node's server would be started with another ${cause.name}`);
      await this.#restartOwn(cause);
    }
    return null;
  }

  /** @returns whether it was not yet */
  async #restartOwn(cause: Cause): Promise<boolean> {
    const isOld = await cause.isOld();
    if (isOld) await this.#restartServer();
    return isOld;
  }

  async #hold(): Promise<void> {
    const { clock } = this.#deps;
    if (this.#heldUntil === undefined) this.#lookAround();
    await this.#balancer.hold(roleName, holdSeconds);
    this.#heldUntil = clock.now() + holdSeconds * 1_000;
    const giveUp = clock.now() + drainMs;
    while (clock.now() < giveUp) {
      if (await this.#isIdle()) return;
      await clock.sleep(lookMs, this.#signal);
    }
    log.warn(`minio: what clients have under way did not end within ${drainMs / 1_000} s, and is broken off`);
  }

  /** Nothing of clients is under way. A balancer that does not answer for a moment, with clients held, is asked again. */
  async #isIdle(): Promise<boolean> {
    try {
      const view = await this.#balancer.view();
      return view.every(({ service, sessions }) => service !== roleName || sessions === 0);
    } catch {
      return false;
    }
  }

  #lookAround(): void {
    const others = this.#causes.flatMap((cause) => cause.others()).filter(({ alive }) => alive);
    this.#heard = new Set(others.map(({ name }) => name));
    this.#wasWhole = ![this.#serving(), ...others].some(({ lacksDrives }) => lacksDrives);
  }

  /** To be called often: lets clients go on as soon as they can be answered. */
  async settle(): Promise<void> {
    if (this.#heldUntil === undefined) return;
    const isLate = this.#deps.clock.now() > this.#heldUntil;
    if (!isLate && !(await this.#areServed())) return;
    this.#heldUntil = undefined;
    await this.#balancer.release(roleName);
    log.info("minio: requests are answered again");
  }

  async #areServed(): Promise<boolean> {
    const { writes, attached } = this.#serving();
    if (!writes || !this.#isAsBefore(attached)) return false;
    if (!this.#causes.every((cause) => this.#isReached(cause))) return false;
    const view = await this.#balancer.view();
    return serves(view, roleName, "read") && serves(view, roleName, "write");
  }

  /** With a drive or a server away no server finds them all; what is written meanwhile is completed later, as without a restart. */
  #isAsBefore(isWhole: boolean): boolean {
    return isWhole || !this.#wasWhole;
  }

  #isReached(cause: Cause): boolean {
    const own = cause.own();
    if (!own) return true;
    if (own.used !== own.current) return false;
    const isPool = minioSpec(this.#deps.context()).topology === "pool";
    const others = isPool ? cause.others() : [];
    return others
      .filter(({ name, alive }) => alive && this.#heard.has(name))
      .every(({ isWhole, state }) => this.#isAsBefore(isWhole) && state?.used === own.current);
  }
}

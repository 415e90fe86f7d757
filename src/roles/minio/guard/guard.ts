import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { killUnit } from "../../../host/systemd.ts";
import { notedHash } from "../../../resources/program.ts";
import type { Guard, GuardDeps, Problem } from "../../guard.ts";
import { awaitHeir, giveVipUp, startServer } from "../../own-server.ts";
import { Watch } from "../../watch.ts";
import { remindOfAccount } from "../application.ts";
import { driveCount, layout, minioSpec, nodes, roleName } from "../layout.ts";
import { publishedBy, type Published } from "../published.ts";
import { rememberedSlot, rememberSlot, slotOf } from "../slots.ts";
import { slowDrives } from "../slow.ts";
import { fullDrives } from "../full.ts";
import { ownStore } from "../stores.ts";
import { authorityOf } from "../tls.ts";
import { awaitsNodes, isForming } from "../together.ts";
import { drillDisk, isDiskFault } from "./disk-faults.ts";
import { ApplicationKey, retireCommand } from "./application-key.ts";
import { Clocks } from "./clocks.ts";
import { Expiry, mayExpire } from "./expiry.ts";
import { Gate } from "./gate.ts";
import { readHealth, type Health } from "./health.ts";
import { alone, HeldRestart, type Serving } from "./held-restart.ts";
import { LeftLocks } from "./left-locks.ts";
import { PasswordChange, passwordName } from "./password.ts";
import { inquire, type Seen } from "./inquiry.ts";
import { ProgramChange } from "./program.ts";
import { prove } from "./prove.ts";
import { awaited, behind, isReady, type Progress } from "./readiness.ts";
import { onlineIn, othersOf, Redundancy, type Others } from "./redundancy.ts";
import { untilPreceded } from "./start-order.ts";
import { TrustChange } from "./trust.ts";

/** How often the server is asked how it is, the balancer whether it finds any, and the server about its drives. */
const lookEveryMs = 1_000;
const gateEveryMs = 500;
const inquireEveryMs = 5_000;
/** The same until this node has been ready: each step waits for the one before it, and somebody for all of them. */
const formingEveryMs = 200;
const clocksEveryMs = 30_000;
const shownEveryMs = 10_000;
const expiryEveryMs = 10_000;
/** The engine tells how its drives were over a minute. */
const slowEveryMs = 20_000;
/** A DELETE without quorum hangs for a minute and more. */
const proofMs = 10_000;

/** Starts the node's server when all are there, tells how it is, and lets the VIP come only to a node that serves. */
export class MinioGuard implements Guard {
  readonly #deps: GuardDeps;
  readonly #watch: Watch;
  #health: Health = { up: false, reads: false, writes: false };
  #seen: Seen | null = null;
  /** Where its slow drives are mounted. */
  #slow: string[] = [];
  #full: string[] = [];
  #proven = false;
  /** Why an object does not go through yet, or the server does not start. */
  #trouble: string | null = null;
  #leaving = false;
  readonly #clocks = new Clocks();
  readonly #redundancy: Redundancy;
  readonly #restarts: HeldRestart;
  readonly #gate: Gate;
  readonly #locks: LeftLocks;
  readonly #password: PasswordChange;
  readonly #trust: TrustChange;
  readonly #program: ProgramChange;
  readonly #key: ApplicationKey;
  readonly #expiry: Expiry;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#watch = new Watch(deps.clock, roleName);
    this.#redundancy = new Redundancy(deps.clock);
    this.#expiry = new Expiry(deps.clock);
    this.#restarts = new HeldRestart(deps, () => this.#serving(), alone, this.#watch.signal);
    this.#locks = new LeftLocks(deps, this.#watch.signal);
    this.#gate = new Gate(deps, {
      isLeaving: () => this.#leaving,
      isHeld: () => this.#restarts.isUnderWay,
    });
    this.#password = new PasswordChange(deps, this.#restarts, this.#watch.signal);
    this.#trust = new TrustChange(deps, this.#restarts, this.#watch.signal);
    this.#program = new ProgramChange(deps, this.#restarts, this.#watch.signal);
    this.#key = new ApplicationKey(deps, { timeoutMs: proofMs, signal: this.#watch.signal });
  }

  /** Waits for nothing: a server that has just lost another one answers late, and the agent has to be up by then. */
  async start(): Promise<void> {
    await this.#restarts.start();
    const every = this.#watch.every.bind(this.#watch);
    const step = (ms: number, isDone: () => boolean, work: () => Promise<void>) =>
      every(() => (isDone() || this.#wasReady() ? ms : formingEveryMs), work);
    const isWhole = () => this.#redundancy.attached && !this.#redundancy.owes;
    step(
      lookEveryMs,
      () => this.#proven,
      () => this.#look(),
    );
    step(lookEveryMs, isWhole, () => this.#watchDrives());
    step(lookEveryMs, isWhole, () => this.#complete());
    step(
      gateEveryMs,
      () => this.#gate.balanced,
      () => this.#gate.look(),
    );
    every(inquireEveryMs, async () => {
      if (this.#health.reads) this.#seen = await this.#inquire();
    });
    every(gateEveryMs, () => this.#locks.look(this.#health));
    every(lookEveryMs, () => this.#keepAccount());
    every(lookEveryMs, () => this.#program.advance());
    every(lookEveryMs, () => this.#password.advance());
    every(lookEveryMs, () => this.#trust.advance());
    every(shownEveryMs, () => this.#trust.keepShown());
    every(lookEveryMs, async () => {
      if (this.#health.writes && this.#proven) await this.#key.advance();
    });
    every(gateEveryMs, () => this.#restarts.settle());
    every(clocksEveryMs, () => {
      const context = this.#deps.context();
      const { self, members } = context;
      return this.#clocks.look(self, nodes(members), this.#watch.signal, { ca: authorityOf(context) });
    });
    every(slowEveryMs, () => this.#timeDrives());
    step(
      expiryEveryMs,
      () => this.#expiry.found !== null,
      () => this.#expire(),
    );
    every(inquireEveryMs, async () => {
      this.#full = await fullDrives();
    });
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  onVip(): void {}

  async handle(method: string, params: unknown): Promise<unknown> {
    const answer = await this.#restarts.handle(method, params);
    if (answer === undefined) throw failed("guard.unknown_method", `minio has no method ${method}`);
    return answer;
  }

  async command(method: string): Promise<unknown> {
    if (method === "handover") return this.#leave();
    if (method === "kill") return killUnit(layout(this.#deps.context()).product.unit);
    if (method === retireCommand) return this.#key.retire();
    if (isDiskFault(method)) return drillDisk(method, this.#redundancy);
    if (method === "disk.changed") {
      await this.#redundancy.changed();
      return this.#publish();
    }
    throw failed("guard.unknown_command", `minio has no command ${method}`);
  }

  ready(): boolean {
    return isReady(this.#progress());
  }

  awaiting(): string {
    return awaited(this.#progress());
  }

  #progress(): Progress {
    return {
      lacks: awaitsNodes(this.#deps.context()),
      health: this.#health,
      others: behind(this.#deps.context().self.name, this.#deps.membership.members()),
      proven: this.#proven,
      attached: this.#redundancy.attached,
      balanced: this.#gate.balanced,
      trouble: this.#trouble,
    };
  }

  awaitingSecret(name: string): string | undefined {
    return name === passwordName ? (this.#password.awaiting() ?? undefined) : undefined;
  }

  problems(): Problem[] {
    return [...this.#clocks.problems(this.#deps.context().self.name), ...this.#key.problems()];
  }

  async #look(): Promise<void> {
    const { signal } = this.#watch;
    const context = this.#deps.context();
    this.#health = await readHealth(ownStore(context), signal);
    if (signal.aborted) return;
    // One that starts anew may be up again at the next look, but does not read for some seconds.
    if (!this.#health.reads && rememberedSlot() !== null) await this.#redundancy.down();
    if (!this.#health.up) await this.#startServer();
    if (!this.#health.reads) this.#seen = null;
    else this.#seen ??= await this.#inquire();
    if (this.#health.writes && !this.#proven) await this.#prove();
    await this.#publish();
  }

  async #watchDrives(): Promise<void> {
    if (!this.#proven || rememberedSlot() === null) return;
    if (!this.#wasReady() && !this.#seesAll()) {
      this.#seen = await this.#inquire();
      await this.#publish();
    }
    await this.#redundancy.note(this.#seen && onlineIn(this.#seen), this.#drives(), this.#others());
  }

  #drives(): number {
    return driveCount(minioSpec(this.#deps.context()));
  }

  #seesAll(): boolean {
    return this.#seen !== null && onlineIn(this.#seen) === this.#drives();
  }

  #serving(): Serving {
    const { attached } = this.#redundancy;
    const lacksDrives = this.#seen !== null && !this.#seesAll();
    return { writes: this.#health.writes, attached, lacksDrives };
  }

  #wasReady(): boolean {
    return this.#deps.membership.self.phase[roleName] === "ready";
  }

  /** Has objects completed that may not be everywhere, which takes hours where there are many. */
  async #complete(): Promise<void> {
    const slot = rememberedSlot();
    if (!this.#health.reads || !this.#proven || slot === null) return;
    const context = this.#deps.context();
    const limits = { timeoutMs: proofMs, signal: this.#watch.signal };
    await this.#redundancy.advance(
      ownStore(context),
      minioSpec(context).bucket,
      slot,
      this.#others(),
      limits,
    );
    if (this.#redundancy.attached && !this.#wasReady()) await this.#publish();
  }

  #others(): Others {
    const { name } = this.#deps.context().self;
    return othersOf(name, this.#deps.membership.members());
  }

  async #startServer(): Promise<void> {
    const context = this.#deps.context();
    if (this.#leaving || this.#deps.inMaintenance() || awaitsNodes(context) !== undefined) return;
    if (isForming(this.#deps.membership.members())) {
      await untilPreceded(context, this.#deps.clock, this.#watch.signal);
    }
    this.#trouble = await startServer(layout(context).product.unit);
  }

  async #prove(): Promise<void> {
    try {
      await prove(this.#deps.context(), { timeoutMs: proofMs, signal: this.#watch.signal });
      this.#proven = true;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = toChimeError(error).message;
    }
  }

  async #keepAccount(): Promise<void> {
    const context = this.#deps.context();
    if (!this.#health.writes || context.self.phase[roleName] !== "ready") return;
    for (const what of await remindOfAccount(context, this.#watch.signal))
      log.warn(`minio: the server had forgotten ${what}: made known again`);
  }

  async #expire(): Promise<void> {
    if (!this.#health.reads || !this.#proven) return;
    const context = this.#deps.context();
    const { bucket } = minioSpec(context);
    const limits = { timeoutMs: proofMs, signal: this.#watch.signal };
    const { found } = this.#expiry;
    await this.#expiry.look(ownStore(context), bucket, limits);
    if (found !== this.#expiry.found) await this.#publish();
    const may = () => {
      const slot = rememberedSlot();
      return slot !== null && this.#seesAll() && mayExpire(slot, this.#redundancy, this.#others());
    };
    const said = this.#deps.membership.members().map((member) => publishedBy(member));
    const isFull = this.#full.length > 0 || said.some((one) => one !== null && one.full.length > 0);
    await this.#expiry.advance(ownStore(context), bucket, { may, isFull }, limits);
  }

  async #timeDrives(): Promise<void> {
    const slot = rememberedSlot();
    if (!this.#health.reads || slot === null) return;
    const limits = { timeoutMs: proofMs, signal: this.#watch.signal };
    this.#slow = await slowDrives(ownStore(this.#deps.context()), slot, limits);
  }

  /** Null where the server cannot say it now. */
  async #inquire(): Promise<Seen | null> {
    const limits = { timeoutMs: proofMs, signal: this.#watch.signal };
    return inquire(ownStore(this.#deps.context()), rememberedSlot(), limits).catch(() => null);
  }

  async #publish(): Promise<void> {
    const context = this.#deps.context();
    const health = this.#health;
    const state: Published = {
      slot: await this.#ownSlot(),
      state: health.reads ? "serving" : health.up ? "waiting" : "down",
      writable: health.writes && this.#proven,
      seen: this.#seen,
      slow: this.#slow,
      full: this.#full,
      ...(this.#expiry.found && { olderStates: this.#expiry.found }),
      attached: this.#redundancy.attached,
      owes: this.#redundancy.owes,
      healed: this.#redundancy.healed,
      binary: (await notedHash(layout(context).binary)) ?? null,
      program: this.#program.own(),
      trust: this.#trust.own(),
      password: this.#password.own(),
      detail: this.#detail(),
    };
    await this.#deps.publish(state);
  }

  #detail(): string | null {
    return this.#health.reads && this.#proven ? null : this.awaiting().slice(0, 400);
  }

  /** Kept from the first moment on at which all nodes were there. */
  async #ownSlot(): Promise<number | null> {
    const kept = rememberedSlot();
    const context = this.#deps.context();
    if (kept !== null || awaitsNodes(context) !== undefined) return kept;
    const slot = slotOf(context, context.members, context.self.name, kept);
    if (slot === null) return null;
    // What is written before each server has found all drives is not on all.
    await this.#redundancy.owe();
    await rememberSlot(slot);
    return slot;
  }

  /** This node's drives go on serving until its server is stopped; clients do not come here any more. */
  async #leave(): Promise<null> {
    await awaitHeir(roleName, this.#deps, this.#watch.signal);
    this.#leaving = true;
    await giveVipUp(this.#deps, this.#watch.signal);
    return null;
  }
}

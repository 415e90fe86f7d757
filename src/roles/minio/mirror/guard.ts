import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { killUnit, showUnit } from "../../../host/systemd.ts";
import { notedHash } from "../../../resources/program.ts";
import { haproxy } from "../../../vip/balancer/haproxy.ts";
import { KnownView } from "../../../vip/balancer/known-view.ts";
import { serves } from "../../../vip/balancer/types.ts";
import type { VipState } from "../../../vip/fifo.ts";
import { Attention } from "../../attention.ts";
import { turnMethod } from "../../turn.ts";
import { Vigil } from "../../vigil.ts";
import type { Guard, GuardDeps, Problem } from "../../guard.ts";
import { awaitHeir, giveVipUp, startServer } from "../../own-server.ts";
import { Watch } from "../../watch.ts";
import { remindOfAccount } from "../application.ts";
import { ApplicationKey, retireCommand } from "../guard/application-key.ts";
import { Clocks } from "../guard/clocks.ts";
import { drillDisk, isDiskFault } from "../guard/disk-faults.ts";
import { readHealth, type Health } from "../guard/health.ts";
import { inquire, type Seen } from "../guard/inquiry.ts";
import { HeldRestart, type Serving } from "../guard/held-restart.ts";
import { PasswordChange, passwordName } from "../guard/password.ts";
import { prove } from "../guard/prove.ts";
import { onlineIn, Redundancy } from "../guard/redundancy.ts";
import { TrustChange } from "../guard/trust.ts";
import { driveCount, layout, minioSpec, nodes, roleName, s3Port } from "../layout.ts";
import type { Published } from "../published.ts";
import { slowDrives } from "../slow.ts";
import { fullDrives } from "../full.ts";
import type { Limits } from "../../http.ts";
import { ownStore } from "../stores.ts";
import { authorityOf } from "../tls.ts";
import { differing } from "./compare.ts";
import { Link } from "./link.ts";
import { otherNode, sitesOf, type Other } from "./other.ts";
import { StandingRecord } from "./record.ts";
import { isMirrored } from "./replication.ts";
import { ended, judge, settle } from "./standing.ts";
import { MirrorTurns } from "./turns.ts";

const lookEveryMs = 1_000;
const gateEveryMs = 250;
const inquireEveryMs = 5_000;
const accountEveryMs = 5_000;
const clocksEveryMs = 30_000;
const shownEveryMs = 10_000;
/** The engine tells how its drives were over a minute. */
const slowEveryMs = 20_000;
/**
 * haproxy tells those that wait for a server that has ended, and whoever comes now, within a millisecond. What it sends
 * after the VIP has left never arrives, and they would wait for their own time-outs.
 */
const answeredMs = 100;
/** A store that looks for one that has vanished answers late. */
const requestMs = 20_000;

/**
 * One of two nodes with a store each, which copy to each other. Both may get the VIP while both are current; who has it
 * serves from its own store. A server that ended gives the VIP up at once, and gets clients again when the two are level.
 */
export class MirrorGuard implements Guard {
  readonly #deps: GuardDeps;
  readonly #watch: Watch;
  readonly #limits: Limits;
  readonly #link: Link;
  /** Of its own drives: each store looks after those of its node alone. */
  readonly #redundancy: Redundancy;
  readonly #clocks = new Clocks();
  readonly #view: KnownView;
  readonly #turns: MirrorTurns;
  readonly #restarts: HeldRestart;
  readonly #password: PasswordChange;
  readonly #trust: TrustChange;
  readonly #key: ApplicationKey;
  #record!: StandingRecord;
  readonly #vigil: Vigil;
  /** Its server has ended, and clients are being told so. */
  #isEnding = false;
  /** Whether the server runs, and which run of it this is, was found out. */
  #known = false;
  #health: Health = { up: false, reads: false, writes: false };
  #seen: Seen | null = null;
  /** When it answered last, or this agent started, on the monotonic clock. */
  #answeredAt: number;
  /** An object went in and out. */
  #proven = false;
  /** That was tried since this agent started. */
  #wasTried = false;
  /** Where its slow drives are mounted. */
  #slow: string[] = [];
  #full: string[] = [];
  /** This node's balancer finds its own server. */
  #balanced = false;
  /** How often the two did not copy to each other: what was compared before says nothing any more. */
  #breaks = 0;
  /** When the two may be compared again, on the monotonic clock. */
  #levelFrom = 0;
  /** Why the server does not start, or has no clients yet. */
  #trouble: string | null = null;
  #leaving = false;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#answeredAt = deps.clock.now();
    this.#watch = new Watch(deps.clock, roleName);
    this.#limits = { timeoutMs: requestMs, signal: this.#watch.signal };
    this.#link = new Link(deps.clock);
    this.#view = new KnownView(haproxy, deps.clock);
    this.#redundancy = new Redundancy(deps.clock);
    const own = {
      silentMs: () => (this.#answers ? 0 : deps.clock.now() - this.#answeredAt),
      isIdle: () => this.#known && !this.#isCurrent,
      whyNotAlone: () => this.#whyNotAlone(),
    };
    this.#turns = new MirrorTurns(deps, () => this.#other(), own, this.#watch.signal);
    this.#restarts = new HeldRestart(deps, () => this.#serving(), this.#turns, this.#watch.signal);
    this.#password = new PasswordChange(deps, this.#restarts, this.#watch.signal);
    this.#trust = new TrustChange(deps, this.#restarts, this.#watch.signal);
    this.#key = new ApplicationKey(deps, this.#limits);
    this.#vigil = new Vigil({
      role: roleName,
      signal: this.#watch.signal,
      open: (onEnd) => Attention.open(deps.context().self.address, s3Port, onEnd),
      found: (attention) => this.#attend(attention),
    });
  }

  async start(): Promise<void> {
    this.#record = await StandingRecord.load();
    await this.#restarts.start();
    const every = this.#watch.every.bind(this.#watch);
    every(lookEveryMs, () => this.#look());
    every(gateEveryMs, () => this.#settle());
    every(lookEveryMs, () => this.#level());
    every(lookEveryMs, () => this.#keepLink());
    every(lookEveryMs, () => this.#watchDrives());
    every(lookEveryMs, () => this.#complete());
    every(lookEveryMs, () => this.#password.advance());
    every(lookEveryMs, () => this.#trust.advance());
    every(shownEveryMs, () => this.#trust.keepShown());
    every(lookEveryMs, async () => {
      if (this.#health.writes && this.#proven && this.#isCurrent) await this.#key.advance();
    });
    every(gateEveryMs, () => this.#restarts.settle());
    every(gateEveryMs, () => this.#setGate());
    every(slowEveryMs, () => this.#timeDrives());
    every(inquireEveryMs, async () => {
      this.#full = await fullDrives();
    });
    every(clocksEveryMs, () => this.#lookAtClocks());
    every(accountEveryMs, () => this.#keepAccount());
    every(inquireEveryMs, async () => {
      if (this.#health.reads) this.#seen = await this.#inquire();
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#watch.stop(), this.#vigil.stop()]);
  }

  /** That it is alone with what it takes from now on has to be on its disk before it can end. */
  onVip(state: VipState): void {
    if (state === "MASTER") this.#settle().catch((error: unknown) => log.warn("minio:", error));
  }

  async handle(method: string, params: unknown, from: string): Promise<unknown> {
    if (from !== this.#other()?.member.name)
      throw failed("guard.bad_question", `${from} is not the other node of minio`);
    if (method !== turnMethod) throw failed("guard.unknown_method", `minio has no method ${method}`);
    return this.#turns.answer(params);
  }

  async command(method: string): Promise<unknown> {
    if (method === turnMethod) return { awaiting: (await this.#turns.takeAndLeave()) ?? null };
    if (method === "before-stop") return this.#beforeStop();
    if (method === "kill") return killUnit(layout(this.#deps.context()).product.unit);
    if (method === retireCommand) return this.#key.retire();
    if (isDiskFault(method)) return drillDisk(method, this.#redundancy);
    if (method === "disk.changed") {
      await this.#redundancy.changed();
      return this.#publish();
    }
    if (method !== "handover") throw failed("guard.unknown_command", `minio has no command ${method}`);
    await awaitHeir(roleName, this.#deps, this.#watch.signal);
    this.#leaving = true;
    return giveVipUp(this.#deps, this.#watch.signal);
  }

  ready(): boolean {
    return this.#proven && this.#isCurrent && this.#balanced;
  }

  awaiting(): string {
    const because = this.#trouble === null ? "" : ` (${this.#trouble})`;
    if (!this.#health.up) return `waiting for the server to start${because}`;
    const other = this.#other();
    const verdict = judge(this.#record.standing, other);
    const name = other?.member.name ?? "";
    if (verdict === "behind") return `waiting to have all that ${name} has${because}`;
    if (verdict === "waits") return `waiting for ${name}, which may have gone on without this node`;
    if (!this.#proven) return `waiting for a PUT, a GET and a DELETE to go through${because}`;
    return "waiting for the balancer to take the server for well";
  }

  awaitingSecret(name: string): string | undefined {
    return name === passwordName ? (this.#password.awaiting() ?? undefined) : undefined;
  }

  problems(): Problem[] {
    return [...this.#clocks.problems(this.#deps.context().self.name), ...this.#key.problems()];
  }

  /** A server that has just ended is not, whatever the disk still says. */
  get #isCurrent(): boolean {
    return this.#known && this.#vigil.attention !== undefined && this.#record.standing.current;
  }

  /** It runs, and can be read from. */
  get #answers(): boolean {
    return this.#vigil.attention !== undefined && this.#health.reads;
  }

  #other(): Other | undefined {
    return otherNode(this.#deps.context().self, this.#deps.membership.members());
  }

  /** Why clients cannot be left to this node's store alone; undefined: they can. */
  #whyNotAlone(): string | undefined {
    if (this.#leaving || this.#deps.inMaintenance()) return "it is not to serve now";
    return this.ready() ? undefined : this.awaiting();
  }

  /** Its server is stopped by hand, or with the machine: clients go over before, where anybody can take them. */
  async #beforeStop(): Promise<void> {
    if (this.#restarts.isUnderWay || !this.#deps.hasVip()) return;
    await awaitHeir(roleName, this.#deps, this.#watch.signal);
    await giveVipUp(this.#deps, this.#watch.signal);
  }

  /** Its drives are its own node's, all there or not as soon as it starts. */
  #serving(): Serving {
    const writes = this.#health.writes && this.ready();
    return { writes, attached: true, lacksDrives: false };
  }

  async #look(): Promise<void> {
    const { signal } = this.#watch;
    const context = this.#deps.context();
    this.#health = await readHealth(ownStore(context), signal);
    if (signal.aborted) return;
    if (!this.#vigil.attention) await this.#vigil.look();
    if (this.#answers) this.#answeredAt = this.#deps.clock.now();
    if (!this.#health.up && !this.#leaving && !this.#deps.inMaintenance()) {
      this.#trouble = await startServer(layout(context).product.unit);
    }
    if (!this.#health.reads) this.#seen = null;
    else this.#seen ??= await this.#inquire();
    if (this.#health.writes && !this.#proven && this.#isCurrent) await this.#prove();
    await this.#publish();
  }

  async #attend(attention: Attention | undefined): Promise<void> {
    if (attention) {
      const { invocation } = await showUnit(layout(this.#deps.context()).product.unit);
      if (invocation !== this.#record.run) this.#turns.end();
      await this.#record.change(({ run }) => (run === invocation ? {} : { run: invocation, ...ended }));
    } else await this.#end();
    this.#known = true;
    // Whoever asks whether both may serve is not told what was so at the last look. Not waited for: what follows from an end
    // of the server is not to wait for members that do not answer.
    this.#publish().catch((error: unknown) => log.warn("minio:", error));
  }

  async #end(): Promise<void> {
    if (this.#record.standing.current) log.warn("minio: the server has ended");
    this.#health = { up: false, reads: false, writes: false };
    this.#isEnding = true;
    try {
      await this.#record.change(() => ended);
      if (this.#deps.vip() !== "MASTER") return;
      await this.#deps.clock.sleep(answeredMs, this.#watch.signal).catch(() => undefined);
    } finally {
      this.#isEnding = false;
      if (!this.#restarts.isUnderWay) this.#deps.setEligible(false);
    }
  }

  async #settle(): Promise<void> {
    if (!this.#known) return;
    const { alone } = this.#record.standing;
    if (!this.#other()?.isUp || !this.#link.reached) this.#breaks++;
    await this.#record.change((own) =>
      settle(own, {
        isUp: this.#vigil.attention !== undefined,
        hasVip: this.#deps.vip() === "MASTER",
        mate: this.#other(),
        isLinked: this.#link.reached,
        now: new Date(this.#deps.clock.wall()).toISOString(),
      }),
    );
    const since = this.#record.standing.alone;
    if (since !== null && since !== alone) {
      log.warn("minio: from now on this store takes what the other one lacks");
    }
  }

  /** The VIP belongs where its own store may serve. Until it is known whether it may, nothing is moved. */
  async #setGate(): Promise<void> {
    if (!this.#known) return;
    const { view } = await this.#view.look();
    this.#balanced = serves(view, roleName, "write");
    if (this.#isEnding || this.#restarts.isUnderWay || this.#deps.isDraining()) return;
    if (!this.#balanced && this.#isCurrent) await this.#endIfUnwritable();
    const isAway = this.#turns.isAway || this.#leaving || this.#deps.inMaintenance();
    // An agent that starts anew is no reason to move the VIP: it stays where it is until it is known how the store is.
    if (this.#isCurrent && this.#balanced && !this.#wasTried && !isAway) return;
    this.#deps.setEligible(this.ready() && !isAway);
  }

  /** What the other one takes while too few drives are here to write does not come by itself: the two are compared then. */
  async #endIfUnwritable(): Promise<void> {
    const { reads, writes } = this.#health;
    if (!reads || writes || this.#other()?.said?.current !== true) return;
    log.warn("minio: too few drives to write: the other store goes on");
    await this.#record.change(() => ended);
  }

  /** The account, too: where root made it the stores do not copy it. */
  async #prove(): Promise<void> {
    const context = this.#deps.context();
    try {
      await prove(context, this.#limits);
      await remindOfAccount(context, this.#watch.signal);
      this.#proven = true;
      this.#trouble = null;
    } catch (error) {
      this.#trouble = toChimeError(error).message;
    } finally {
      this.#wasTried = true;
    }
  }

  /** Has each store send the other one what that lacks, until there is nothing more. Half of the time: both have clients, too. */
  async #level(): Promise<void> {
    const { clock } = this.#deps;
    if (clock.now() < this.#levelFrom) return;
    const breaks = this.#breaks;
    const other = this.#other();
    const { run, standing } = this.#record;
    const alone = other?.said?.alone ?? null;
    if (!other?.isUp || alone === null) return;
    // One that cannot write would end again as soon as the two are level.
    if (!this.#health.reads || !this.#health.writes) return;
    if (judge(standing, other) !== "behind" || standing.levelled === alone) return;
    const sites = sitesOf(this.#deps.context(), other);
    if (!(await isMirrored(sites, this.#limits))) return;
    const [own, theirs] = sites;
    const start = clock.now();
    const left = await differing(own.store, theirs.store, this.#limits);
    this.#levelFrom = clock.now() + (clock.now() - start);
    this.#trouble = left > 0 ? `${left} objects are still to come or to go` : null;
    if (left > 0) return;
    await this.#record.change((kept) => {
      if (kept.run !== run || breaks !== this.#breaks) return {};
      log.info(`minio: this store and that of ${other.member.name} are level`);
      return { levelled: alone, alone: null, active: false };
    });
  }

  async #keepLink(): Promise<void> {
    if (!this.#known || !this.#health.reads) return;
    await this.#link.keep(this.#deps.context(), this.#other(), this.#isCurrent, this.#limits);
  }

  async #keepAccount(): Promise<void> {
    if (!this.#health.writes || !this.#proven || !this.#isCurrent) return;
    for (const what of await remindOfAccount(this.#deps.context(), this.#watch.signal)) {
      log.warn(`minio: the server had forgotten ${what}: made known again`);
    }
  }

  async #watchDrives(): Promise<void> {
    if (!this.#proven) return;
    const drives = driveCount(minioSpec(this.#deps.context()));
    await this.#redundancy.note(this.#seen && onlineIn(this.#seen), drives, []);
  }

  /** Has objects completed that may not be on all drives, which takes hours where there are many. */
  async #complete(): Promise<void> {
    if (!this.#proven || !this.#isCurrent) return;
    const context = this.#deps.context();
    const { bucket } = minioSpec(context);
    await this.#redundancy.advance(ownStore(context), bucket, context.self.index, [], this.#limits);
  }

  async #timeDrives(): Promise<void> {
    if (!this.#health.reads) return;
    this.#slow = await slowDrives(ownStore(this.#deps.context()), null, this.#limits);
  }

  /** The later of two states of an object wins by them. */
  async #lookAtClocks(): Promise<void> {
    const context = this.#deps.context();
    const { self, members } = context;
    await this.#clocks.look(self, nodes(members), this.#watch.signal, { ca: authorityOf(context) });
  }

  /** Null where the server cannot say it now. */
  async #inquire(): Promise<Seen | null> {
    return inquire(ownStore(this.#deps.context()), 1, this.#limits, () => 1).catch(() => null);
  }

  async #publish(): Promise<void> {
    const current = this.#isCurrent;
    const { reads, writes } = this.#health;
    const isUp = this.#vigil.attention !== undefined;
    const answers = this.#answers;
    const { enabled, reached, trouble } = this.#link;
    const state: Published = {
      slot: null,
      state: current && reads ? "serving" : isUp ? "waiting" : "down",
      writable: current && writes && this.#proven,
      seen: this.#seen,
      slow: this.#slow,
      full: this.#full,
      attached: this.#redundancy.attached,
      owes: this.#redundancy.owes,
      healed: this.#redundancy.healed,
      binary: (await notedHash(layout(this.#deps.context()).binary)) ?? null,
      detail: current && this.#proven ? null : this.awaiting().slice(0, 400),
      trust: this.#trust.own(),
      password: this.#password.own(),
      mirror: { ...this.#record.standing, current, up: answers, enabled, reached, trouble },
    };
    await this.#deps.publish(state);
  }
}

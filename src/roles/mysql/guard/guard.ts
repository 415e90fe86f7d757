import * as v from "valibot";
import type { Guard, GuardDeps, Problem } from "../../guard.ts";
import type { VipState } from "../../../vip/fifo.ts";
import type { Memory } from "../../../cluster/vote/memory.ts";
import { isMajority } from "../../../cluster/vote/term.ts";
import { Tie } from "../../../cluster/vote/tie.ts";
import { ChimeError, failed } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { StuckThreads } from "../../../host/stuck.ts";
import { killUnit } from "../../../host/systemd.ts";
import { Session } from "../client.ts";
import { engineOf } from "../engine/index.ts";
import type { Engine } from "../engine/types.ts";
import { layout, mysqlSpec, nodes, type Layout } from "../layout.ts";
import { Offer } from "../copy/offer.ts";
import { Rebuild } from "../copy/rebuild.ts";
import { SavedExtras } from "../extras/saved.ts";
import { answer } from "./answers.ts";
import { beforeStop } from "./before-stop.ts";
import { Bell } from "./bell.ts";
import { Comparison } from "./comparison.ts";
import { decide, openWriter } from "./decide.ts";
import { DiskWatch } from "./disk.ts";
import { bystanders, Lives, peerViews, probe, publishable, StuckWatch } from "./look.ts";
import { assessFailover, failOver } from "./failover.ts";
import { handOver } from "./handover.ts";
import { Nudge } from "./nudge.ts";
import { FailureWatch } from "./replication.ts";
import { putAside } from "./returning.ts";
import { perform } from "./steps.ts";
import { Timeline } from "./timeline.ts";
import { clearStartOptions, lookAtUnit, serverPid, setHeld } from "./unit.ts";
import { Trouble } from "./trouble.ts";
import type { Decision, PeerView, Step, View } from "./view.ts";
import { Withdrawal } from "./withdrawal.ts";

/** At rest: what happens is told at once by the server's connection, keepalived and the peers. Hand-made drift is not. */
const lookEveryMs = 1_000;

/** While the server is down, a commit waits for the replica, or a peer is silent. */
const watchEveryMs = 200;

/** A step begins things that nobody tells the end of, such as a replica's connection: they take some ms, or fail. */
const settleEveryMs = 50;
const settledMs = 2_000;

/** A server that does not answer a trivial query for so long counts as hung. */
const hungMs = 1_000;

/** Longer than a busy disk keeps a single request waiting. */
const stuckDiskMs = 2_000;

/** A step that failed is tried again after this; one that is merely not done yet, sooner. */
const retryMs = 500;
const againMs = 20;

/** A push to a peer that lives takes some milliseconds; one that has just died is not waited for. */
const announceMs = 100;

/** A replica of another life has lost what it received and did not apply: for it the point is read anew. */
export interface ProvePoint {
  peer: string;
  life: string | null;
  position: string;
  contents: string;
}

/** Keeps the writer where the VIP is, and never two of them: look, decide, do one step, look again. */
export class MysqlGuard implements Guard {
  readonly deps: GuardDeps;
  readonly engine: Engine;
  readonly layout: Layout;
  /** For looks and short statements; its loss tells of the server's death. */
  readonly session: Session;
  /** For statements that may take long, and for the peers' questions. */
  readonly work: Session;
  readonly hand: Session;
  readonly #nudge: Nudge;
  readonly lives: Lives;
  /** This node's data for another one, and another one's for this. */
  readonly offer: Offer;
  readonly rebuild: Rebuild;
  readonly extras: SavedExtras;
  readonly withdrawal: Withdrawal;
  quarantine: string | null = null;
  yielded: string[] = [];
  /** Where the writer stood when it asked its replica first: what that must hold to count as level. */
  provePoint: ProvePoint | undefined;
  /** How many commits were acknowledged when the replica was found to hold all that waited, for seconds already. */
  unheardAt: number | undefined;
  /** Starts since the server last answered; a second one keeps the tail that the first could not cut off. */
  starts = 0;
  /** Since when it has been asking what the writer holds, to save what the start is to cut off. */
  askingSince: number | undefined;
  /** The number of the newest term that a majority granted this node since its agent started. */
  grantedTerm = 0;
  readonly #tie: Tie;
  readonly #stuck = new StuckWatch();
  readonly #failure = new FailureWatch();
  readonly #comparison = new Comparison(this, this.#failure);
  readonly #threads = new StuckThreads();
  readonly #disk: DiskWatch;
  readonly #retryAt = new Map<Step["do"], number>();
  #lastTerm: number | undefined;
  #wrote = false;
  #held: boolean | undefined;
  #view: View | undefined;
  #decision: Decision = { eligible: false, step: null, awaiting: "the agent to take it up" };
  #last: Step["do"] | undefined;
  #steppedAt = Number.NEGATIVE_INFINITY;
  readonly #trouble = new Trouble();
  readonly #timeline: Timeline;
  #eligible: boolean | undefined;
  #published = "";
  #stopped = false;
  #running: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => undefined;
  readonly #bell = new Bell();

  constructor(deps: GuardDeps) {
    const context = deps.context();
    this.deps = deps;
    this.engine = engineOf(mysqlSpec(context));
    this.layout = layout(context);
    this.lives = new Lives(this.layout.pidFile);
    const { clock, membership, voter, askGateway } = deps;
    this.withdrawal = new Withdrawal(deps.clock, () => this.wake());
    this.#tie = new Tie({ clock, membership, voter, askGateway, changed: () => this.wake() });
    this.#disk = new DiskWatch(this.layout.data, deps.clock);
    this.#timeline = new Timeline(deps.clock, (happening) => deps.record(happening));
    const { socket, product } = this.layout;
    const server = { socket, unit: product.unit };
    this.session = new Session({ ...server, timeoutMs: hungMs, onClose: () => this.#serverDied() });
    this.work = new Session({ ...server, timeoutMs: 5 * hungMs });
    this.hand = new Session({ ...server, timeoutMs: hungMs });
    const nudging = new Session({ ...server, timeoutMs: hungMs });
    this.#nudge = new Nudge(deps.clock, this.engine, nudging);
    this.offer = new Offer({
      engine: this.engine,
      layout: this.layout,
      session: this.hand,
      isWriter: () => this.#isWriter,
      self: deps.membership.self.name,
    });
    this.rebuild = new Rebuild(this);
    this.extras = new SavedExtras(deps.membership.self.name, deps.clock);
  }

  async start(): Promise<void> {
    const { membership, voter } = this.deps;
    const unsubscribes = [
      membership.onChange(() => this.#onMembers()),
      voter.onChange(() => this.#onMemory()),
    ];
    this.#unsubscribe = () => unsubscribes.forEach((unsubscribe) => unsubscribe());
    await this.extras.load();
    await this.rebuild.resume();
    this.#running = this.#loop();
  }

  get memory(): Memory {
    return this.deps.voter.memory;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
    this.#tie.stop();
    this.wake();
    this.offer.stop();
    await Promise.all([this.#running, this.rebuild.stop()]);
    for (const session of [this.session, this.work, this.hand]) session.close();
    this.#nudge.stop();
  }

  onVip(state: VipState): void {
    if (state !== "MASTER") this.yielded = [];
    this.#timeline.onVip(state);
    this.wake();
  }

  handle(method: string, params: unknown, from: string): Promise<unknown> {
    return answer(this, method, params, from);
  }

  async command(method: string, params: unknown): Promise<unknown> {
    if (method === "handover") return handOver(this);
    if (method === "before-stop") return beforeStop(this);
    if (method === "assess") return assessFailover(this);
    if (method === "failover") return failOver(this, v.parse(v.object({ word: v.boolean() }), params).word);
    if (method === "kill") return killUnit(this.layout.product.unit);
    if (method === "rebuild") return this.rebuild.command();
    if (method === "rebuild-progress") return this.rebuild.progress;
    throw failed("guard.unknown_command", `mysql has no command ${method}`);
  }

  ready(): boolean {
    const { term, server, self } = this.#view ?? {};
    if (this.rebuild.progress.active) return false;
    if (!term || !server || "down" in server || !self) return false;
    return server.readOnly ? term.writer !== self && this.#able : term.writer === self;
  }

  get #isWriter(): boolean {
    const { term, server, self } = this.#view ?? {};
    return term?.writer === self && server !== undefined && !("down" in server) && !server.readOnly;
  }

  get #able(): boolean {
    return this.#view !== undefined && publishable(this.#view).able;
  }

  awaiting(): string {
    const { step, awaiting } = this.#decision;
    const what = awaiting || step?.do || "nothing";
    return `waiting ${what.startsWith("to ") ? what : `for ${what}`}${this.#trouble.text}`;
  }

  problems(): Problem[] {
    const node = this.deps.membership.self.name;
    const { server } = this.#view ?? {};
    const problems: Problem[] = [];
    if (server && "down" in server && server.down === "stopped") {
      problems.push({
        code: "mysql.stopped",
        severity: "error",
        node,
        message: `${this.layout.product.unit} was stopped by hand`,
        remedy: `systemctl start ${this.layout.product.unit}`,
      });
    }
    return [
      ...problems,
      ...this.#disk.problems(node),
      ...this.rebuild.problems(),
      // A quarantined node names the file itself.
      ...(this.quarantine === null ? this.extras.problems() : []),
      ...this.#trouble.problems(node),
    ];
  }

  /** The newest term this node knows goes to disk before anything acts on it. */
  remember(change: Partial<Memory>): void {
    this.deps.voter.remember(change);
  }

  #onMembers(): void {
    // Whatever step is under way: the time without the peer counts from here.
    this.standing();
    this.wake();
  }

  /** Peers that have answered since this agent started. */
  get heard(): readonly string[] {
    return this.#tie.heard;
  }

  /** Whether this node may count its gateway as a vote, just now. */
  standing(): View["gateway"] {
    return this.#tie.look(nodes(this.deps.membership.members()));
  }

  /** Also when a peer was granted something here. */
  #onMemory(): void {
    const { term } = this.memory;
    if (term?.term !== this.#lastTerm) this.withdrawal.onTerm();
    this.#lastTerm = term?.term;
    this.wake();
  }

  /** Where this node is the only voter, its own disk says so. */
  #isGranted({ term }: Memory): boolean {
    if (term === null) return false;
    const { name: self } = this.deps.membership.self;
    return this.grantedTerm === term.term || isMajority(term, (name) => name === self, noneLeft);
  }

  /** Waits shortly until peers that live know the newest term, so that none acts on an older one. */
  async announce(view: View): Promise<void> {
    const { term, proven } = this.memory;
    const sent = this.#publish({ ...view, term, proven });
    if (view.peers.some((peer) => peer.state === "alive")) {
      await Promise.race([sent, this.deps.clock.sleep(announceMs)]);
    }
  }

  get standsDown(): boolean {
    return this.withdrawal.standsDown || this.deps.inMaintenance();
  }

  /** The last look, for those who may rest on one that is some milliseconds old. */
  get view(): View | undefined {
    return this.#view;
  }

  /** The loop looks again at once. */
  wake(): void {
    this.#bell.ring();
  }

  /** Resolves when `condition` holds after a look, or with false after `ms`. */
  async until(condition: (view: View) => boolean, ms: number): Promise<boolean> {
    const end = this.deps.clock.now() + ms;
    this.wake();
    while (this.deps.clock.now() < end && !this.#stopped) {
      await this.deps.clock.sleep(againMs / 4);
      if (this.#view && condition(this.#view)) return true;
    }
    return false;
  }

  async #loop(): Promise<void> {
    while (!this.#stopped) {
      this.#bell.heard();
      let pause: number;
      try {
        const view = await this.#look();
        const decision = decide(view);
        this.#decision = decision;
        this.#setEligible(decision.eligible);
        this.#nudge.look(view, decision);
        void this.#publish(view);
        await this.#hold(view, decision);
        pause = this.#pause(view);
        if (!decision.step) await this.#rested(view);
        else pause = await this.#take(decision.step, view);
      } catch (error) {
        this.#trouble.note("look", error);
        pause = retryMs;
      }
      if (pause > 0) await this.#bell.rest(pause);
    }
  }

  async #hold({ server }: View, { step }: Decision): Promise<void> {
    const held = "down" in server && (server.down === "replaced" || (server.down === "startable" && !step));
    if (this.#held === held) return;
    await setHeld(held);
    this.#held = held;
  }

  /** How long until the next look, unless something is heard before. */
  #pause(view: View): number {
    if (this.deps.clock.now() - this.#steppedAt < settledMs) return settleEveryMs;
    return isQuiet(view) ? lookEveryMs : watchEveryMs;
  }

  async #look(): Promise<View> {
    const { deps } = this;
    const { self } = deps.membership;
    const peers = await peerViews(deps);
    const gateway = this.standing();
    const full = this.#disk.isFull(() => this.wake()) ? this.#disk.text : null;
    const { policy } = deps.context().spec.failover;
    const view = (server: View["server"]): View => ({
      self: self.name,
      index: self.index,
      term: this.memory.term,
      granted: this.#isGranted(this.memory),
      proven: this.memory.proven,
      vip: deps.vip(),
      wrote: this.#wrote,
      server,
      quarantine: this.quarantine,
      untold: this.memory.outrun === "protected",
      rebuild: this.rebuild.text,
      peers,
      bystanders: bystanders(deps),
      policy,
      gateway,
      heard: this.heard,
      // A writer without an heir goes on as long as it can.
      standDown: this.standsDown || (full !== null && (isReader(server) || peers.some(isHeir))),
      full,
      failing: null,
      unheard: false,
      stopping: this.withdrawal.stopping,
      leaving: this.withdrawal.leaving,
      ...this.#stuck.look("down" in server ? undefined : server.source, deps.clock.now()),
      yielded: this.yielded,
    });
    if (this.rebuild.replaces) {
      if (!this.#view || !("down" in this.#view.server)) this.#gone();
      this.#view = view({ down: "replaced" });
      return this.#view;
    }
    try {
      const server = await probe(this.engine, this.session, this.lives);
      if (!server.readOnly) await this.#checkDisk(server.life);
      if (this.starts > 0) await clearStartOptions(this.layout.startOptions);
      this.starts = 0;
      this.askingSince = undefined;
      this.#wrote = !server.readOnly;
      const seen = view(server);
      const source = openWriter(seen);
      const isReplica = source !== undefined && server.replica.from === source.address;
      const failing = this.#failure.look(isReplica ? server.replica : undefined, deps.clock.now());
      const unheard = server.source.waiting > 0 && server.source.acknowledged === this.unheardAt;
      this.#view = { ...seen, failing, unheard };
    } catch (error) {
      const hung = error instanceof ChimeError && error.code === "mysql.hung";
      if (!this.#view || !("down" in this.#view.server)) {
        // Told before anything else: the peer may be waiting for this server's acknowledgements.
        this.#gone();
        void this.#publish(view({ down: "starting" }));
      }
      this.#view = view({ down: hung ? "hung" : await lookAtUnit(this.layout.product.unit) });
    }
    return this.#view;
  }

  /** A writer whose disk is stuck still answers: only its commits wait, for ever. @throws ChimeError `mysql.hung` */
  async #checkDisk(life: string): Promise<void> {
    const ms = await this.#threads.look(serverPid(life), this.deps.clock.now());
    if (ms >= stuckDiskMs)
      throw failed("mysql.hung", `the database server waits for its disk since ${ms} ms`);
  }

  #gone(): void {
    this.#setEligible(false);
    this.lives.ended();
    this.withdrawal.onServerGone();
    this.quarantine = null;
  }

  /** Returns how long to rest afterwards, ms. */
  async #take(step: Step, view: View): Promise<number> {
    const { clock } = this.deps;
    const wait = (this.#retryAt.get(step.do) ?? 0) - clock.now();
    if (wait > 0) return Math.min(wait, watchEveryMs);
    try {
      const started = clock.now();
      const done = await perform(step, this, view);
      this.#timeline.took(step, view, done, started, this.quarantine);
      if (!done) {
        this.#retryAt.set(step.do, clock.now() + againMs);
        return againMs;
      }
      this.#steppedAt = clock.now();
      log.info(`mysql: ${step.do} (${Math.round(this.#steppedAt - started)} ms)`);
      this.#trouble.over(step.do);
      // Replication that failed begins anew at once, and then no faster than anything else that fails.
      if (step.do === "follow" && "replica" in view.server && view.server.replica.error !== null) {
        this.#retryAt.set(step.do, clock.now() + retryMs);
      }
      // A step that has to be done again at once did not help: not as fast as the processor can.
      const again = this.#last === step.do;
      this.#last = step.do;
      return again ? againMs : 0;
    } catch (error) {
      this.#trouble.note(step.do, error);
      this.#retryAt.set(step.do, clock.now() + retryMs);
      return againMs;
    }
  }

  /** Nothing to do: whatever failed before is over. */
  async #rested(view: View): Promise<void> {
    this.#last = undefined;
    this.#trouble.over();
    const found = this.#comparison.look(view);
    if (!found) return;
    const started = this.deps.clock.now();
    await putAside(this, found);
    await this.engine.stopReceiver(this.work);
    this.#timeline.took({ do: "follow", peer: found.writer }, view, true, started, this.quarantine);
  }

  #serverDied(): void {
    this.lives.ended();
    if (this.#stopped) return;
    this.#setEligible(false);
    this.wake();
  }

  #setEligible(eligible: boolean): void {
    if (this.#eligible === eligible) return;
    this.#eligible = eligible;
    this.deps.setEligible(eligible);
  }

  async #publish(view: View): Promise<void> {
    const state = publishable(view);
    const text = JSON.stringify(state);
    if (text === this.#published) return;
    this.#published = text;
    await this.deps.publish(state).catch((error: unknown) => {
      this.#published = "";
      this.#trouble.note("publish", error);
    });
  }
}

function isQuiet({ server, peers, term }: View): boolean {
  const isSilent = peers.some(({ name, state }) => state !== "alive" && term?.in_sync.includes(name));
  return !("down" in server) && server.source.waiting === 0 && !isSilent;
}

function noneLeft(): boolean {
  return false;
}

function isReader(server: View["server"]): boolean {
  return !("down" in server) && server.readOnly;
}

function isHeir({ state, said }: PeerView): boolean {
  return state === "alive" && said?.able === true;
}

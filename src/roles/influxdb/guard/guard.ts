import * as v from "valibot";
import { failed, toChimeError } from "../../../core/errors.ts";
import { log } from "../../../core/log.ts";
import { product } from "../../../host/catalog.ts";
import { killUnit, restartSoon, showUnit } from "../../../host/systemd.ts";
import { notedHash } from "../../../resources/program.ts";
import { Attention } from "../../attention.ts";
import { Turn, turnMethod, turnSchema, type TurnAnswer, type TurnAsked } from "../../turn.ts";
import { Vigil } from "../../vigil.ts";
import type { Guard, GuardDeps, Problem } from "../../guard.ts";
import { homeOf } from "../../home.ts";
import { awaitHeir, giveVipUp, startServer } from "../../own-server.ts";
import { Watch } from "../../watch.ts";
import type { Limits } from "../../http.ts";
import { makingMethod } from "../bucket-resource.ts";
import { httpPort, influxdbSpec, layout, roleName } from "../layout.ts";
import {
  comparing,
  inUse,
  isWhole,
  lacking,
  mayCompare,
  overallAway,
  standingOf,
  twinOf,
  type Twin,
} from "../mate.ts";
import {
  awaySeconds,
  importance,
  oldBefore,
  overallOf,
  timeText,
  unseenSince,
  type Outage,
} from "../outages.ts";
import { probe } from "../probe.ts";
import { publishedBy, type Published } from "../published.ts";
import { Record } from "../record.ts";
import { ownServer, serverOf, speaksTls } from "../servers.ts";
import { judge, type Verdict } from "../standing.ts";
import { keptTokens, lostTokens, tokensSchema, type TokenKind } from "../tokens.ts";
import { Begun } from "./begun.ts";
import { Deleting, type OtherNode, type Own } from "./deleting.ts";
import { Exclusion, type UnderWay } from "./exclusion.ts";
import type { Withheld } from "../gap/deleted.ts";
import { weekMs } from "../gap/time.ts";
import { forgone } from "../forgone.ts";
import { drillServer, isDrillFault } from "./drill-faults.ts";
import { form } from "./form.ts";
import { lackedBuckets, levelBuckets } from "./level-buckets.ts";
import { Filler } from "./filler.ts";
import { Isolation } from "./isolation.ts";
import { stages } from "./one-server.ts";
import { refusedProblems } from "./refused.ts";
import { renewal } from "./renewal.ts";
import { Revival } from "./revival.ts";
import { everythingOf } from "./times.ts";
import { WayHome } from "./way-home.ts";

/** How often a server that is well is asked, and one that is not. */
const lookEveryMs = 1_000;
const lookCloselyMs = 200;
const gateEveryMs = 250;
const homeEveryMs = 5_000;
const fillEveryMs = 500;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const renewEveryMs = 10_000;
/** 2 ms each where nothing is wrong. */
const probeMs = 1_000;
/** Beside a point that takes so long clients may have given up theirs, ms. */
const slowMs = 250;
/** What follows within so long is the same slow time, ms. */
const calmMs = 5_000;
const requestMs = 10_000;
/** One request among many. */
const fillMs = 60_000;
/**
 * A server writes to its disk three times for each series that it deletes, one after the other [tried]: a hundred thousand take
 * a minute on an SSD, an hour on a slow disk. One that takes so long hangs, ms.
 */
const deleteMs = 24 * hourMs;
/** Another agent's answer. */
const askMs = 5_000;
/** keepalived says within 0.1 s that its gate is open. */
const gateMs = 2_000;
/** After the agent's start: another node that is there is heard within it. */
const settleMs = 3_000;
const stageSchema = v.picklist(stages);
const underWaySchema = v.object({ repairing: v.boolean(), deleting: v.boolean() });
/** With it the server waits for minutes until it closes a connection that nobody uses, without for 10 s. */
const greeting = "HEAD /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";

/**
 * One of two servers to which clients write alike. The VIP, from which they read, may be on a node whose server takes
 * points and gives them back, and has all that the other one has.
 */
export class TwinGuard implements Guard {
  readonly #deps: GuardDeps;
  readonly #watch: Watch;
  readonly #limits: Limits;
  readonly #startedAt: number;
  readonly #isolation: Isolation;
  readonly #revival: Revival;
  readonly #filler: Filler;
  readonly #deleting: Deleting;
  readonly #begun: Begun;
  readonly #turn: Turn;
  readonly #exclusion: Exclusion;
  readonly #wayHome: WayHome;
  readonly #vigil: Vigil;
  #record!: Record;
  /** Which run of the server it is. */
  #run = "";
  /** This run of the server is one of the twins. */
  #joined = false;
  /** It speaks TLS, as far as is known. */
  #tls = false;
  /** How the server is was found out. */
  #known = false;
  /** A point went in and out. */
  #well = false;
  /** The last one was not answered in time: a busy machine may do that once. */
  #isLate = false;
  /** Up to when it is noted that answers are slow, on the wall clock. */
  #slowUntil = 0;
  /** Why not, or why its server is not one of the twins yet. */
  #trouble: string | null = null;
  /** Why its server does not come up, until it does. */
  #down: string | null = null;
  /** What its server needs to be one of the twins. */
  #remedy: string | null = null;
  #leaving = false;
  /** Those of applications that its server does not take. */
  #lostTokens: readonly TokenKind[] = [];
  /** Under way: what two ask for at once is done once. */
  #levelling: Promise<void> | undefined;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
    this.#watch = new Watch(deps.clock, roleName);
    this.#limits = { timeoutMs: requestMs, signal: this.#watch.signal };
    this.#startedAt = deps.clock.now();
    this.#isolation = new Isolation(deps.clock, deps.askGateway);
    this.#filler = new Filler(deps.clock);
    this.#turn = new Turn(deps.clock);
    this.#deleting = new Deleting(deps.clock, {
      halt: () => this.#filler.halt(),
      late: (where) => this.#record.add({ ...where, sure: false }),
    });
    this.#begun = new Begun(deps.clock);
    this.#wayHome = new WayHome(deps.clock);
    this.#exclusion = new Exclusion(deps.clock, () => deps.context().self.name);
    this.#revival = new Revival(deps.clock, () => layout(deps.context()).data);
    this.#vigil = new Vigil({
      role: roleName,
      signal: this.#watch.signal,
      open: (onEnd) => this.#openAttention(onEnd),
      found: (attention) => this.#attend(attention),
    });
  }

  async start(): Promise<void> {
    this.#record = await Record.load();
    this.#tls = influxdbSpec(this.#deps.context()).tls;
    let lookedAt = Number.NEGATIVE_INFINITY;
    this.#watch.every(lookCloselyMs, async () => {
      const isCalm = this.#well && !this.#isLate;
      if (isCalm && this.#deps.clock.now() - lookedAt < lookEveryMs) return;
      lookedAt = this.#deps.clock.now();
      await this.#look();
    });
    this.#watch.every(fillEveryMs, () => this.#fill());
    this.#watch.every(minuteMs, () => this.#lookBack(4 * minuteMs, 1.25 * minuteMs));
    this.#watch.every(hourMs, () => this.#lookBack(25 * hourMs, hourMs));
    this.#watch.every(minuteMs, () => this.#resumeDeletions());
    this.#watch.every(minuteMs, () => this.#lookAtTokens());
    this.#watch.every(renewEveryMs, () => this.#renew());
    this.#watch.every(homeEveryMs, () => this.#goHome());
    this.#watch.every(gateEveryMs, () => {
      this.#setGate();
      return Promise.resolve();
    });
  }

  async stop(): Promise<void> {
    await Promise.all([this.#watch.stop(), this.#vigil.stop()]);
  }

  /** The other one's join waits for it, too. */
  onVip(): void {
    if (this.#known) this.#tellAll().catch((error: unknown) => log.warn("influxdb:", error));
  }

  /** What the other one of the twins asks. A server that has taken over this one's metadata may not tell the tokens. */
  async handle(method: string, params: unknown, from: string): Promise<unknown> {
    const other = this.#other();
    if (from !== other?.name) {
      throw failed("guard.bad_question", `${from} is not the other node of influxdb`);
    }
    if (method === "tokens") return keptTokens() ?? null;
    if (method === turnMethod) return this.#answerTurn(v.parse(turnSchema, params));
    // An older agent asks it before it deletes.
    if (method === "halt") return this.#filler.halt().then(() => null);
    if (method === "level") return this.#levelBuckets().then(() => null);
    if (method === "under_way") return this.#exclusion.underWay;
    if (method === "deletions") {
      return this.#deleting.told(params, this.#own(), other, this.#deleteLimits);
    }
    if (method === "stage") return this.#deleting.stage;
    if (method === "is_deleting") return this.#deleting.isDeleting;
    throw failed("guard.unknown_method", `influxdb has no method ${method}`);
  }

  async command(method: string, params: unknown): Promise<unknown> {
    if (method === "kill") return killUnit(this.#unit());
    if (method === makingMethod) return this.#noteLacked().then(() => null);
    if (method === turnMethod) return { awaiting: (await this.#takeTurn()) ?? null };
    if (isDrillFault(method)) {
      const context = this.#deps.context();
      return drillServer(method, { unit: this.#unit(), data: layout(context).data, node: context.self.name });
    }
    if (method === "delete") {
      const other = this.#other();
      const limits = this.#deleteLimits;
      return this.#begun.begin((waiting) =>
        this.#exclusion.delete(other, () =>
          this.#deleting.delete(params, this.#own(), other, limits, waiting),
        ),
      );
    }
    if (method === "deletion") return this.#begun.progress(v.parse(v.string(), params));
    if (method === "repair") {
      return this.#exclusion.repair(this.#other(), async () => {
        await this.#filler.halt();
        return this.#settleDeletions();
      });
    }
    if (method === "repairing") return this.#exclusion.goOn();
    if (method === "repaired") return this.#exclusion.repaired();
    if (method !== "handover") throw failed("guard.unknown_command", `influxdb has no command ${method}`);
    await this.#requireHeir();
    this.#leaving = true;
    return giveVipUp(this.#deps, this.#watch.signal);
  }

  /** @throws ChimeError `influxdb.no_heir` where the other one lives, and what only this node's server has would be lost */
  async #requireHeir(): Promise<void> {
    const heir = inUse(this.#twin());
    const why = heir?.alive ? lacking(heir) : undefined;
    if (heir && why !== undefined) {
      const { name } = heir.member;
      throw failed("influxdb.no_heir", `this node's points are needed: waiting for ${name}${why}`, {
        remedy: `chime-node status says how far ${name} is; or take that node out first`,
      });
    }
    await awaitHeir(roleName, this.#deps, this.#watch.signal);
  }

  ready(): boolean {
    const isRead = this.#deps.vip() === "MASTER" || this.#twin()?.published?.read === true;
    return this.#well && isRead && this.#verdict() !== "fills";
  }

  awaiting(): string {
    const why = this.#vigil.attention ? this.#trouble : this.#down;
    const because = why === null ? "" : ` (${why})`;
    if (!this.#vigil.attention) return `waiting for the server to start${because}`;
    if (!this.#joined) return this.#trouble ?? "waiting for the server to be set up";
    if (!this.#well) return `waiting for a point to go in and out${because}`;
    if (this.#verdict() !== "fills") return "waiting for the VIP";
    return `waiting to have all that ${this.#twin()?.member.name ?? "the other one"} has`;
  }

  problems(): Problem[] {
    const context = this.#deps.context();
    const { data } = layout(context);
    const { name: node } = context.self;
    const then = "the server is restarted then, and gets what it lacks from the other one";
    const problem = (code: string, what: string, how: string): Problem => ({
      code: `influxdb.${code}`,
      severity: "error",
      node,
      message: `the disk of ${data} on ${node} is ${what}: its server takes no points`,
      remedy: `${how}: ${then}`,
    });
    if (this.#revival.isReadOnly) {
      const how = `journalctl --dmesg on ${node} says why; check the file system, and mount it writable or boot ${node}`;
      return [problem("read_only", "read-only", how)];
    }
    if (this.#revival.isFull) return [problem("disk_full", "full", `make room (df -h ${data})`)];
    const lost = this.#lostTokens.map<Problem>((kind) => ({
      code: "influxdb.token_lost",
      severity: "error",
      node,
      message: `the server of ${node} does not take the ${kind} token any more: somebody deleted or deactivated it there`,
      remedy: `deactivated: influx auth active on ${node}; deleted, and not made anew: build its server anew from the other one (docs/influxdb.md, "Other tokens"); made anew: systemctl restart chime-node`,
    }));
    return [...lost, ...refusedProblems(node, this.#deleting.refused)];
  }

  #unit(): string {
    return layout(this.#deps.context()).product.unit;
  }

  #twin(): Twin | undefined {
    return twinOf(this.#deps.context().self, this.#deps.membership.members());
  }

  #own(): Own {
    const context = this.#deps.context();
    return { name: context.self.name, server: serverOf(context.self, context) };
  }

  #other() {
    const name = this.#twin()?.member.name;
    if (name === undefined) return undefined;
    const call = (method: string, params: unknown, ms: number) =>
      this.#deps.membership.call(name, `guard.${roleName}.${method}`, params, ms);
    return {
      name,
      ask: (all) => call("deletions", all, fillMs),
      stage: async () => v.parse(stageSchema, await call("stage", {}, askMs)),
      isDeleting: async () => v.parse(v.boolean(), await call("is_deleting", {}, fillMs)),
      level: async () => void (await call("level", {}, askMs)),
      underWay: async () => v.parse(underWaySchema, await call("under_way", {}, askMs)),
    } satisfies OtherNode & { level(): Promise<void>; underWay(): Promise<UnderWay> };
  }

  /** What was deleted while one of them was away is deleted there first: else it would be filled from there. */
  async #settleDeletions(): Promise<Withheld[]> {
    const other = this.#other();
    return other ? this.#deleting.settle(this.#own(), other, this.#deleteLimits) : [];
  }

  get #deleteLimits(): Limits {
    return { ...this.#limits, timeoutMs: deleteMs };
  }

  /** Nobody else would notice: the two servers serve as before, and applications are refused at one of them. */
  async #lookAtTokens(): Promise<void> {
    const kept = keptTokens();
    if (!this.#well || !kept) return;
    const { server } = this.#own();
    this.#lostTokens = await lostTokens(server, kept, this.#limits);
  }

  /** What this agent had begun before it was restarted, and what its server could not do then. */
  async #resumeDeletions(): Promise<void> {
    if (!this.#well) return;
    await this.#deleting.resume(this.#own(), this.#other(), this.#deleteLimits);
  }

  /** It has listened for others long enough to hear one that is there. */
  get #isSettled(): boolean {
    return this.#deps.clock.now() - this.#startedAt > settleMs;
  }

  #verdict(): Verdict {
    const twin = this.#twin();
    return judge(
      standingOf(this.#state()),
      inUse(twin) ?? (twin && { ...twin, said: null }),
      this.#isSettled,
    );
  }

  async #look(): Promise<void> {
    if (!this.#vigil.attention) await this.#vigil.look();
    this.#watch.signal.throwIfAborted();
    if (!this.#vigil.attention) {
      if (!this.#leaving && !this.#deps.inMaintenance()) {
        // A slow one that ended again and again may look as though it were only starting.
        this.#down = (await startServer(this.#unit())) ?? this.#down;
        this.#trouble = this.#down;
      }
    } else {
      if (!this.#joined) await this.#form();
      // At once: before a point went in and out nobody knows that it serves.
      if (this.#joined) await this.#probe();
    }
    // One late answer says nothing.
    if (this.#isLate && this.#trouble === null) return;
    this.#known = true;
    await this.#tellAll();
  }

  /** Why clients cannot be left to this node's server alone; undefined: they can. */
  #whyNotAlone(): string | undefined {
    if (this.#leaving || this.#deps.inMaintenance()) return "it is not to serve now";
    if (this.#well && this.#hasAllOverall()) {
      const since = unseenSince(this.#record.outages);
      return since === undefined
        ? undefined
        : `it is not compared yet since ${timeText(since)}, when nobody looked`;
    }
    const why = this.#trouble ?? this.#filler.trouble?.message;
    return `it does not have everything${why === undefined ? "" : `: ${why}`}`;
  }

  /** The other one asks whether this node can be left alone with the clients. */
  async #answerTurn({ urgent }: TurnAsked): Promise<TurnAnswer> {
    const isFirst = this.#twin()?.isFirst === false;
    const answer = this.#turn.answer(isFirst, urgent ? undefined : this.#whyNotAlone());
    if (urgent || answer.why !== null) return answer;
    // It is relied on from now on, which may be what opens its gate.
    this.#setGate();
    const why = await this.#whyNoVip();
    if (why !== null) this.#turn.withdraw();
    return { why };
  }

  /** Why this node could not take the VIP at once; null: it could, or has it. */
  async #whyNoVip(): Promise<string | null> {
    const { clock } = this.#deps;
    const { unit } = product("keepalived", this.#deps.context().facts.os);
    const giveUp = clock.now() + gateMs;
    while (this.#deps.vip() !== "BACKUP" && this.#deps.vip() !== "MASTER") {
      if (clock.now() > giveUp) return "its keepalived does not say that it would take the VIP";
      await clock.sleep(50, this.#watch.signal);
    }
    return (await showUnit(unit)).active === "active" ? null : "its keepalived does not run";
  }

  #askTurn(twin: Twin): (asked: TurnAsked) => Promise<unknown> {
    return (asked) =>
      this.#deps.membership.call(twin.member.name, `guard.${roleName}.${turnMethod}`, asked, askMs);
  }

  /** To be called before this node's server is restarted. @returns what it waits for; undefined: it may be */
  async #takeTurn(): Promise<string | undefined> {
    const twin = this.#twin();
    // Nobody else could be relied on, or nobody relies on it: which an agent that has just started does not know at once.
    const isDown = this.#known && (!this.#vigil.attention || this.#trouble !== null);
    if (!twin || !this.#record.wasJoined || isDown) return undefined;
    if (!this.#well) return "waiting to know how the server is";
    const { name } = twin.member;
    const why = await this.#turn.take(name, lacking(twin), this.#askTurn(twin));
    if (why !== undefined) return why;
    await giveVipUp(this.#deps, this.#watch.signal);
    if (!this.#deps.hasVip()) return undefined;
    this.#turn.end();
    return `waiting for the VIP to go to ${name}`;
  }

  /** The server reads its certificate only when it starts. */
  async #renew(): Promise<void> {
    const shown = this.#vigil.attention?.certificate;
    if (!shown || this.#leaving || this.#deps.inMaintenance()) return;
    const found = await renewal(shown, this.#deps.clock.wall());
    if (found === "none") return;
    const twin = this.#twin();
    let awaiting = await this.#takeTurn();
    if (awaiting !== undefined && found === "now" && twin)
      awaiting = await this.#turn.takeUrgently(twin.member.name, this.#askTurn(twin));
    if (awaiting !== undefined) return log.info(`influxdb: a new certificate is there: ${awaiting}`);
    log.info("influxdb: the server is restarted for its new certificate");
    await restartSoon(this.#unit());
  }

  /** The VIP first, then the other members. */
  async #tellAll(): Promise<void> {
    this.#setGate();
    await this.#publish();
  }

  async #publish(): Promise<void> {
    const binary = (await notedHash(layout(this.#deps.context()).binary)) ?? null;
    await this.#deps.publish({ ...this.#state(), eligible: this.#mayServe(), binary });
  }

  async #openAttention(onEnd: () => void): Promise<Attention | undefined> {
    const { address } = this.#deps.context().self;
    const tls = (await speaksTls(address)) ?? this.#tls;
    return Attention.open(address, httpPort, onEnd, { greeting, tls });
  }

  async #attend(attention: Attention | undefined): Promise<void> {
    if (!attention) return this.#fail(this.#down ?? "the server is not there");
    this.#down = null;
    const { invocation } = await showUnit(this.#unit());
    // Its data may be others.
    if (invocation !== this.#run) {
      this.#joined = false;
      this.#turn.restarted();
    }
    this.#run = invocation;
    const tls = attention.certificate !== undefined;
    this.#tls = tls;
    // Everybody asks it as it speaks.
    if (this.#known && publishedBy(this.#deps.context().self)?.tls !== tls) await this.#publish();
  }

  /** It does not serve from this moment on. */
  async #fail(trouble: string): Promise<void> {
    this.#well = false;
    this.#trouble = trouble;
    if (!this.#record.wasJoined) return;
    this.#deps.setEligible(false);
    await this.#record.away(this.#record.wellAt, true).catch(notSaved);
    if (this.#known) await this.#tellAll();
  }

  async #form(): Promise<void> {
    const context = this.#deps.context();
    const twin = this.#twin();
    const askTokens = async (node: string) => {
      const answer = await this.#deps.membership.call(node, `guard.${roleName}.tokens`, {}, askMs);
      return v.parse(v.nullable(tokensSchema), answer) ?? undefined;
    };
    try {
      await form({ context, twin, record: this.#record, clock: this.#deps.clock, askTokens }, this.#limits);
      this.#joined = true;
      this.#trouble = null;
      this.#remedy = null;
    } catch (error) {
      this.#watch.signal.throwIfAborted();
      const { code, message, remedy } = toChimeError(error);
      this.#trouble = message.slice(0, 300);
      // Of what it waits for the message says all.
      this.#remedy = code === "influxdb.waits" ? null : (remedy?.slice(0, 400) ?? null);
    }
  }

  /** Whether clients are served, by a point of our own and by who hears this node. */
  async #probe(): Promise<void> {
    const context = this.#deps.context();
    const { clock } = this.#deps;
    const run = this.#run;
    try {
      await this.#revival.look();
      if (this.#revival.isFull) return await this.#fail("its disk is full");
      if (this.#revival.isDue()) return await this.#revive("its disk was full");
      const [now, start] = [clock.wall(), clock.now()];
      const wanted = { node: context.self.name, value: Math.floor(now), at: now };
      await probe(serverOf(context.self, context), wanted, { ...this.#limits, timeoutMs: probeMs });
      if (clock.now() - start > slowMs) this.#noteSlow();
      if (!this.#vigil.attention) return;
      await this.#listen();
      if (this.#isolation.isCutOff) return await this.#fail("neither the other node nor the gateway answers");
      await this.#record.well(now, run).catch(notSaved);
      this.#well = true;
      this.#isLate = false;
      this.#trouble = null;
      this.#revival.well();
      this.#turn.well();
      const twin = this.#twin();
      this.#filler.giveWay(this.#record.outages, twin && comparing(twin));
    } catch (error) {
      this.#watch.signal.throwIfAborted();
      const { code, message } = toChimeError(error);
      const wasLate = this.#isLate;
      this.#isLate = code === "influxdb.timeout";
      if (this.#isLate && !wasLate && (this.#well || !this.#known)) return this.#noteSlow();
      // Somebody has taken its data away, perhaps.
      if (code === "influxdb.denied" || code === "influxdb.missing") this.#joined = false;
      await this.#fail(message.slice(0, 300));
      this.#revival.failed(code);
      if (this.#revival.isDue()) await this.#revive(message);
    }
  }

  /**
   * It is compared by all values once that is over: each server may have taken what the other one did not, and as much of it.
   * On a machine that is busy for minutes counts have to do. Not waited for, and not written each time: the next look would be
   * late by what a slow disk takes, and a late look is an outage.
   */
  #noteSlow(): void {
    const { wellAt: from } = this.#record;
    const until = this.#deps.clock.wall() + calmMs;
    // A clock that was set back has not noted it either.
    const isNoted = until <= this.#slowUntil && this.#slowUntil <= until + calmMs;
    if (!this.#twin()?.alive || from === 0 || until <= from || isNoted) return;
    this.#slowUntil = until + calmMs;
    this.#record.add({ from, to: this.#slowUntil, sure: false, hint: "slow" }).catch(notSaved);
  }

  /** What this node's server may lack is compared with the other one's, and filled. */
  async #fill(): Promise<void> {
    const context = this.#deps.context();
    const twin = this.#twin();
    const { outages } = this.#record;
    if (twin) await this.#record.noteAlone(false);
    else if (this.#well && this.#isSettled) return this.#forgo(outages);
    if (!twin?.said?.serving || !this.#well) return;
    const outage = this.#filler.next(outages);
    if (!outage || !mayCompare(importance(outage), twin)) return;
    const start = this.#deps.clock.now();
    const prepare = async () => {
      const withheld = await this.#settleDeletions();
      await this.#levelBuckets();
      // One that does not answer, or is of a version that does not know this, has its own comparisons.
      await this.#other()
        ?.level()
        .catch((error: unknown) => log.debug("influxdb:", error));
      return {
        mine: serverOf(context.self, context),
        other: serverOf(twin.member, context),
        isOtherWhole: this.#twin()?.said?.away === 0,
        withheld,
      };
    };
    const settled = await this.#filler.settle(outage, prepare, { ...this.#limits, timeoutMs: fillMs });
    if (!settled) return;
    const { done, more, points } = settled;
    await this.#record.filled(done, more);
    const isWorthTelling = points > 0 || (outage.sure && outage.from > 0);
    if (done.length > 0 && isWorthTelling) this.#tell(outage, points, this.#deps.clock.now() - start);
    await this.#tellAll();
  }

  /** A bucket that somebody deleted here, or made on the other one alone, is made here, and compared over all times. */
  #levelBuckets(): Promise<void> {
    return (this.#levelling ??= this.#levelNow().finally(() => (this.#levelling = undefined)));
  }

  async #levelNow(): Promise<void> {
    const context = this.#deps.context();
    const twin = this.#twin();
    if (!this.#well || !twin?.said?.serving) return;
    const note = async (bucket: string) => {
      log.info(`influxdb: the bucket ${bucket} is made as ${twin.member.name} has it`);
      await this.#noteBucket(bucket);
    };
    const [mine, other] = [serverOf(context.self, context), serverOf(twin.member, context)];
    await levelBuckets(mine, other, this.#limits, note);
  }

  /** What `apply` is about to make here, or to keep for longer, may be deleted or dropped here, and the other one has its points. */
  async #noteLacked(): Promise<void> {
    const context = this.#deps.context();
    const twin = this.#twin();
    if (!twin || !this.#record.wasJoined) return;
    const other = twin.said?.serving ? serverOf(twin.member, context) : undefined;
    const { buckets } = influxdbSpec(context);
    const lacked = await lackedBuckets(buckets, await ownServer(context), other, this.#limits);
    for (const bucket of lacked) await this.#noteBucket(bucket);
  }

  /** It is compared over all times. */
  #noteBucket(bucket: string): Promise<void> {
    return this.#record.add(everythingOf(bucket, this.#deps.clock.wall()));
  }

  /** Nobody has anything else, nor will have: whoever has left never comes back as the same member. */
  async #forgo(outages: readonly Outage[]): Promise<void> {
    const { name } = this.#deps.context().self;
    const members = this.#deps.membership.members();
    const message = this.#record.isAlone ? undefined : forgone(name, members, outages);
    if (message !== undefined) {
      log.warn(`influxdb: ${message}`);
      this.#deps.record({ kind: "gap", message });
    }
    await this.#record.filled(outages);
    await this.#record.noteAlone(true);
  }

  /** What nobody noticed, as a cut of a second: the first of the two compares minutes that are over, and at times a day. */
  async #lookBack(fromMs: number, toMs: number): Promise<void> {
    const twin = this.#twin();
    if (!this.#well || !twin || twin.isFirst) return;
    const now = this.#deps.clock.wall();
    await this.#record.add({ from: now - fromMs, to: now - toMs, sure: false, hint: "routine" });
  }

  #tell({ from, to }: Outage, points: number, ms: number): void {
    const { name } = this.#deps.context().self;
    const since = from > 0 ? ` of ${timeText(from)} to ${timeText(to ?? from)}` : "";
    this.#deps.record({
      kind: "gap",
      message: `${name} has everything again: ${points} points${since} came from the other server`,
      seconds: Math.round(ms / 100) / 10,
    });
  }

  /** There is room again, or its disk can be written to, and its engine does not know. */
  async #revive(why: string): Promise<void> {
    if (this.#leaving || this.#deps.inMaintenance()) return;
    const { self } = this.#deps.context();
    await this.#fail(why);
    await restartSoon(this.#unit());
    this.#deps.record({
      kind: "gap",
      message: `the server of ${self.name} is restarted, for by itself it may not take points any more: ${why}`,
    });
  }

  /** While the two do not hear each other, clients may reach one of them alone: nobody knows which. */
  async #listen(): Promise<void> {
    const twin = this.#twin();
    const silentMs = twin?.wasJoined && !twin.alive ? twin.member.silentMs : null;
    await this.#isolation.look(silentMs !== null);
    const now = this.#deps.clock.wall();
    if (silentMs === null) await this.#record.heard(now);
    else await this.#record.away(Math.max(0, now - silentMs), false);
  }

  /** Addresses of several roles are spread over their nodes, where that costs readers no more than a new connection. */
  async #goHome(): Promise<void> {
    const context = this.#deps.context();
    const twin = this.#twin();
    const isOther = twin !== undefined && homeOf(roleName, context) === twin.member.name;
    const mayGo = this.#deps.vip() === "MASTER" && isOther && isWhole(twin) && !this.#turn.isMine;
    if (!this.#wayHome.isDue(mayGo) || !twin) return;
    const why = await this.#turn.take(twin.member.name, lacking(twin), this.#askTurn(twin));
    if (why !== undefined) return log.debug(`influxdb: the VIP goes home later: ${why}`);
    this.#wayHome.gone();
    log.info(`influxdb: the VIP goes to ${twin.member.name}, where it belongs`);
    try {
      await giveVipUp(this.#deps, this.#watch.signal);
    } finally {
      this.#turn.end();
    }
  }

  /** The VIP belongs where everything is. Until it is known how the server is, nothing is moved. */
  #setGate(): void {
    if (!this.#known) return;
    this.#deps.setEligible(this.#mayServe());
  }

  #mayServe(): boolean {
    // Of two that each lack something: which has more does not count while the other one is restarted.
    const isRelied = this.#turn.isGiven && this.#hasAllOverall();
    const hasAll = this.#well && (isRelied || this.#verdict() !== "fills");
    return hasAll && !this.#turn.isMine && !this.#leaving && !this.#deps.inMaintenance();
  }

  #hasAllOverall(): boolean {
    return overallAway(this.#state()) === 0;
  }

  #state(): Published {
    const { outages } = this.#record;
    const first = outages.find(({ sure }) => sure) ?? outages[0];
    const { done, trouble: error } = this.#filler;
    // What nothing is known of makes room for the other one's work.
    const busy = (this.#filler.importance ?? 0) > 0;
    const trouble = error?.message.slice(0, 300) ?? null;
    const remedy = error?.remedy?.slice(0, 300) ?? null;
    const now = this.#deps.clock.wall();
    const away = awaySeconds(outages, now);
    const overall = awaySeconds(overallOf(outages), now);
    const before = oldBefore(outages);
    return {
      state: this.#well ? "serving" : this.#vigil.attention ? "waiting" : "down",
      joined: this.#joined,
      tls: this.#tls,
      read: this.#deps.vip() === "MASTER",
      eligible: false,
      gap: first ? { since: timeText(first.from), away, overall, done, trouble, remedy, busy } : null,
      uncompared_before: before === undefined ? null : timeText(Math.ceil(before / weekMs) * weekMs),
      binary: null,
      detail: this.#well ? null : this.awaiting().slice(0, 400),
      remedy: this.#vigil.attention && !this.#joined ? this.#remedy : null,
    };
  }
}

/** It counts all the same as long as this agent runs; of the full disk others tell. */
const notSaved = (error: unknown): void => log.debug("influxdb:", error);

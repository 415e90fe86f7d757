import { judge } from "../../../src/cluster/vote/judge.ts";
import { Standing } from "../../../src/cluster/vote/standing.ts";
import { electorate, isMajority, isSameTerm, isTied, type Term } from "../../../src/cluster/vote/term.ts";
import { hasVote, termByWord } from "../../../src/cluster/vote/word.ts";
import { mayGoAlone } from "../../../src/roles/mysql/guard/council.ts";
import { decide, isAble } from "../../../src/roles/mysql/guard/decide.ts";
import { holders } from "../../../src/roles/mysql/guard/loss.ts";
import type { PeerView, Step, View } from "../../../src/roles/mysql/guard/view.ts";
import type { Published } from "../../../src/roles/mysql/published.ts";
import { published, server as serverState } from "./views.ts";

/**
 * Two nodes, their servers and the VIP, and members that only vote, as far as the guard's rules speak of them: who
 * holds which transaction, who waits for whom, what a restart keeps, who granted what. Decisions and judgements are
 * the real ones, and so is what a node knows of its own standing; what steps do is modelled on what was tried on MariaDB
 * 10.11. Votes are under way for a while: askers and voters die in between, answers get lost.
 *
 * It cannot show: the choice of the very first writer, other steps than a vote interrupted in the middle, a server
 * that breaks its own rules, disk writes lost below a completed fsync, an outage of a node's network that ends before
 * its agent can notice it and after its peer went on (less than the time of one event).
 */
export class Voter {
  readonly name: string;
  readonly index: number;
  power = true;
  agent = true;
  /** Durable. */
  term: Term | null = null;
  left = false;

  constructor(index: number) {
    this.index = index;
    this.name = `node${index}`;
  }
}

/** Long enough to notice that the gateway is gone, as short as it may be before a peer goes on alone. */
const eventMs = 400;
/** While the peer is heard the gateway is asked once in so many events. */
const slowEvents = 12;

/** A term that a node asks for, until it has it or gives up. */
interface Ballot {
  term: Term;
  alone: boolean;
  granted: Set<string>;
  saidNo: boolean;
  /** What became of each question. Answers that arrive too late are not missed by anybody. */
  open: { voter: Voter; answer?: boolean; newer?: Term }[];
}

export class Node extends Voter {
  /** The newest term that a majority granted it since its agent started. */
  grantedTerm = 0;
  ballot: Ballot | undefined;
  /** Members without the role, as this node last heard of them. */
  readonly deadBystanders = new Set<string>();
  proven: string | null = null;
  /** The server: undefined while it is down. `log` and `told` are its disk. */
  server: Server | undefined = {
    life: "1",
    readOnly: true,
    enabled: false,
    strict: false,
    follows: undefined,
  };
  lives = 1;
  log: number[] = [];
  /** How much of the log nobody has been told of yet: the tail that a truncating start drops. */
  unacknowledged = 0;
  quarantine: string | null = null;
  standDown = 0;
  yielded: string[] = [];
  eligible = false;
  vip: "MASTER" | "BACKUP" | "FAULT" = "FAULT";
  /** The peer as this node last heard of it. */
  said: Published | null = null;
  heardDead = false;
  /** The peer has answered since its agent started. */
  heard = false;
  standing = new Standing(0);
  /** A question what the peer knows, under way: when it was asked, and the answer. */
  question: { asked: number; held?: Term | null } | undefined;
  heardAt = 0;
  pause = { at: Number.NEGATIVE_INFINITY, ms: 0 };
  /** SIGSTOP: the agent is there, and neither hears nor does anything. */
  stopped = false;
  provePoint: { length: number; life: string | undefined } | undefined;
  /** An operator gave up what this node lacks, until it opens. */
  takesLoss = false;
  /** The newest term in which it is the writer. */
  ownTerm = 0;
}

interface Server {
  life: string;
  readOnly: boolean;
  enabled: boolean;
  strict: boolean;
  /** The node that it receives from. */
  follows: Node | undefined;
}

export class Pair {
  readonly a = new Node(1);
  readonly b = new Node(2);
  readonly witnesses: readonly Voter[];
  readonly policy: "available" | "safe";
  /** Two members between which nothing passes, as `node1 node2`. */
  readonly cuts = new Set<string>();
  /** Nodes that do not reach their gateway. */
  readonly strangers = new Set<string>();
  /** ms; each event takes some. */
  now = 0;
  #events = 0;
  /** `from>to`: adverts alone get lost, one way. */
  readonly deaf = new Set<string>();
  /** Transactions that some client was told of. */
  readonly acknowledged = new Set<number>();
  /** Those that an operator gave up: they must still be on somebody's disk. */
  readonly givenUp = new Set<number>();
  /** Who acknowledged in which term. */
  readonly writers = new Map<number, Set<string>>();
  #next = 1;

  /** Two nodes that have just chosen their first writer, and as many members without the role. */
  constructor(witnesses: number, policy: "available" | "safe") {
    this.policy = policy;
    this.witnesses = Array.from({ length: witnesses }, (_, i) => new Voter(3 + i));
    const { name } = this.a;
    for (const node of [this.a, this.b]) {
      node.ownTerm = node.name === name ? 1 : 0;
      const tie = policy === "available" ? "gateway" : "replica";
      node.term = { term: 1, writer: name, in_sync: [name], voters: [name], old_voters: [], tie };
    }
  }

  get members(): readonly Voter[] {
    return [this.a, this.b, ...this.witnesses];
  }

  #named(name: string): Voter {
    return this.members.find((member) => member.name === name) as Voter;
  }

  /** Whether both are up, as machines, and packets pass both ways. */
  #isLinked(one: Voter, other: Voter): boolean {
    return one.power && other.power && !this.cuts.has([one.name, other.name].sort().join(" "));
  }

  cut(one: Voter, other: Voter): void {
    if (one !== other) this.cuts.add([one.name, other.name].sort().join(" "));
  }

  /** From everybody, and from the gateway. */
  isolate(node: Voter): void {
    for (const other of this.members) this.cut(node, other);
    this.strangers.add(node.name);
  }

  /** The cut moves from the peer's side to this one's, and the peer is back with its gateway, but not with this node. */
  isolateInstead(node: Node): void {
    this.strangers.delete(this.peerOf(node).name);
    this.isolate(node);
  }

  /** A machine that stands still: no agent, and no network; back, it has not found its peer yet. */
  suspend(node: Node): void {
    this.stopAgent(node);
    this.isolate(node);
  }

  resume(node: Node): void {
    if (!node.stopped) return;
    this.strangers.delete(node.name);
    this.continueAgent(node);
  }

  /** A beat that was sent long ago arrives. */
  lateBeat(node: Node): void {
    if (!node.power || !node.agent) return;
    node.heardAt = this.now;
    const { standing, heardAt, pause } = node;
    standing.look({ now: this.now, heardAt, isSilent: false, pause });
  }

  /** Only where one of them does not reach its gateway: otherwise both may go on, which is conceded. */
  cutUnlessConceded(): void {
    if (this.strangers.size > 0) this.cut(this.a, this.b);
  }

  heal(): void {
    this.strangers.clear();
    this.cuts.clear();
    this.deaf.clear();
  }

  peerOf(node: Node): Node {
    return node === this.a ? this.b : this.a;
  }

  /** A replica that acknowledges to this writer right now. */
  replicaOf(writer: Node): Node | undefined {
    const peer = this.peerOf(writer);
    return peer.server?.follows === writer && this.#isLinked(writer, peer) ? peer : undefined;
  }

  /** A client commits. The replica receives it; whether the client is told depends on the wait. */
  commit(node: Node): void {
    const { server } = node;
    if (!server || server.readOnly || !node.power) return;
    // A session that waits already: no commit after it gets further (one connection is enough to show it).
    if (node.unacknowledged > 0 && !this.#settle(node)) return;
    node.log.push(this.#next++);
    node.unacknowledged = 1;
    this.#settle(node);
  }

  /** Acknowledges what waits, if it may be. */
  #settle(node: Node): boolean {
    const { server } = node;
    if (!server || node.unacknowledged === 0) return true;
    const replica = this.replicaOf(node);
    if (replica) replica.log = [...node.log];
    else if (server.strict && server.enabled) return false;
    for (const id of node.log.slice(-node.unacknowledged)) this.acknowledged.add(id);
    node.unacknowledged = 0;
    this.writers.set(node.ownTerm, (this.writers.get(node.ownTerm) ?? new Set()).add(node.name));
    return true;
  }

  /** A server that dies loses the end of what it had received and not applied, acknowledged or not. */
  killServer(node: Node, random: () => number): void {
    const isReplica = node.server?.readOnly && node.server.follows !== undefined;
    if (isReplica && random() < 0.5) node.log = node.log.slice(0, -Math.ceil(random() * 3));
    node.server = undefined;
    node.quarantine = null;
    this.#setEligible(node, false);
  }

  powerOff(node: Node, random: () => number): void {
    this.killServer(node, random);
    node.power = false;
    node.vip = "FAULT";
    this.#forget(node);
  }

  /** Time passes, and every agent that runs hears its peer, or does not, and asks its gateway. */
  pass(): void {
    this.now += eventMs;
    this.#events += 1;
    for (const node of [this.a, this.b]) {
      if (!node.power || !node.agent) continue;
      const isSilent = !this.#answers(node, this.peerOf(node));
      if (!isSilent) node.heardAt = this.now;
      if (isSilent || this.#events % slowEvents === 0) {
        if (this.strangers.has(node.name)) node.standing.missed();
        else node.standing.answered(this.now, this.now);
      }
      this.#look(node);
    }
  }

  #look(node: Node): View["gateway"] {
    const { standing, heardAt, pause } = node;
    const isSilent = !this.#answers(node, this.peerOf(node));
    const vote = standing.look({ now: this.now, heardAt, isSilent, pause });
    return { answers: standing.answers(this.now), vote, out: null };
  }

  /** Asks the peer what it knows, or gets its answer: where one has to, as in src/cluster/vote/tie.ts. */
  speak(node: Node): void {
    const peer = this.peerOf(node);
    if (!node.agent || !this.#answers(node, peer)) return;
    const { question, standing } = node;
    if (!question) {
      if (!node.heard || standing.out) node.question = { asked: this.now };
    } else if (question.held === undefined) question.held = peer.term;
    else {
      node.question = undefined;
      node.heard = true;
      if ((question.held?.term ?? 0) > (node.term?.term ?? 0)) this.#remember(node, question.held as Term);
      standing.spoke(question.asked);
    }
  }

  #forget(node: Node): void {
    node.standing = new Standing(this.now);
    node.heardAt = this.now;
    node.question = undefined;
    node.stopped = false;
    node.standDown = 0;
    node.yielded = [];
    node.said = null;
    node.heard = false;
    node.quarantine = null;
    node.grantedTerm = 0;
    node.ballot = undefined;
  }

  boot(node: Voter): void {
    if (node.power) return;
    node.power = true;
    node.agent = true;
  }

  killAgent(node: Node): void {
    node.agent = false;
    node.stopped = false;
    node.question = undefined;
    node.ballot = undefined;
  }

  /** Its disk was replaced: it has forgotten what it granted. */
  wipe(voter: Voter): void {
    voter.term = null;
  }

  /** systemd has it back; what it heard and was asked is forgotten, VIP and server go on. */
  restartAgent(node: Node): void {
    if (node.agent) return;
    node.agent = true;
    this.#forget(node);
  }

  stopAgent(node: Node): void {
    if (!node.agent || !node.power) return;
    node.agent = false;
    node.stopped = true;
  }

  /** It finds that time has passed, and beats that its peer sent before it was stopped. */
  continueAgent(node: Node): void {
    if (!node.stopped) return;
    node.stopped = false;
    node.agent = true;
    node.pause = { at: this.now, ms: eventMs };
    node.heardAt = this.now;
  }

  /** keepalived: `nopreempt`, the lower index first; a node without power or in FAULT has it not. */
  moveVip(): void {
    for (const node of [this.a, this.b]) {
      if (!node.power || !node.eligible) node.vip = "FAULT";
      else if (node.vip === "FAULT") node.vip = "BACKUP";
    }
    for (const node of [this.a, this.b]) {
      const peer = this.peerOf(node);
      const hears = this.#isLinked(node, peer) && !this.deaf.has(`${peer.name}>${node.name}`);
      if (node.vip === "BACKUP" && !(hears && peer.vip === "MASTER")) node.vip = "MASTER";
      // After a cut has healed the higher priority wins.
      else if (node.vip === "MASTER" && hears && peer.vip === "MASTER" && peer.index < node.index) {
        node.vip = "BACKUP";
      }
    }
  }

  /**
   * An operator makes a node the writer, whatever votes say. A careful one powers off the other node where it cannot be
   * reached, and waits where a voter cannot.
   */
  failOver(node: Node, careful: boolean, random: () => number): void {
    if (!node.power || !node.agent || node.left || !node.term) return;
    const answered = this.members.filter((member) => member !== node && this.#answers(node, member));
    const peer = this.peerOf(node);
    const silent = this.witnesses.filter((witness) => !answered.includes(witness) && !witness.left);
    if (careful && silent.length > 0) return;
    const newest = [node, ...answered].reduce(
      (best, { term }) => (term && term.term > best.term ? term : best),
      node.term,
    );
    // Refused: it was never level.
    if (!hasVote(newest, node.name)) return;
    if (careful && !answered.includes(peer)) this.powerOff(peer, random);
    const isLeft = (name: string) => this.#named(name).left;
    const term = termByWord(newest, node, holders(newest, node.name), isLeft);
    for (const member of answered) if (term.term > (member.term?.term ?? 0)) this.#take(member, term);
    node.takesLoss = true;
    // It may die between what it tells and what it does; whom it told tells it later.
    if (answered.length > 0 && random() < 0.1) return;
    node.quarantine = null;
    node.ballot = undefined;
    node.proven = node.server?.life ?? null;
    node.grantedTerm = term.term;
    this.#remember(node, term);
  }

  /** What the operator gave up is what is missing at the moment in which the node opens, and not what it loses later. */
  #giveUp(node: Node): void {
    if (!node.takesLoss) return;
    node.takesLoss = false;
    const log = new Set(node.log);
    for (const id of [...this.acknowledged].filter((one) => !log.has(one))) {
      this.acknowledged.delete(id);
      this.givenUp.add(id);
    }
  }

  /** keepalived was restarted on the holder: the other takes the VIP if it may. */
  flapVip(): void {
    const holder = [this.a, this.b].find((node) => node.vip === "MASTER");
    if (!holder) return;
    const other = this.peerOf(holder);
    holder.vip = "BACKUP";
    if (this.#isLinked(holder, other) && other.eligible) other.vip = "MASTER";
    else holder.vip = "MASTER";
  }

  /** A record travels: the node now knows what its peer says of itself. */
  hear(node: Node): void {
    const peer = this.peerOf(node);
    for (const witness of this.witnesses) {
      if (this.#answers(node, witness)) node.deadBystanders.delete(witness.name);
      else node.deadBystanders.add(witness.name);
    }
    node.heardDead = !this.#answers(node, peer);
    if (node.heardDead) return;
    node.said = this.publish(peer);
  }

  publish(node: Node): Published {
    const { server } = node;
    const able = isAble(this.view(node)) && node.standDown === 0;
    const gateway = node.standing.answers(this.now);
    if (!server) return published({ term: node.term, state: "down", life: null, gateway });
    return published({
      gateway,
      term: node.term,
      life: server.life,
      able,
      state: !server.readOnly ? "writer" : node.quarantine === null ? "replica" : "quarantined",
      follows: server.readOnly ? (server.follows?.name ?? null) : null,
    });
  }

  view(node: Node): View {
    const peer = this.peerOf(node);
    const { server } = node;
    const replica = this.replicaOf(node);
    const peerView: PeerView = {
      name: peer.name,
      index: peer.index,
      address: peer.name,
      state: node.heardDead ? "dead" : "alive",
      silentMs: node.heardDead ? 2_000 : 0,
      stalled: replica === undefined && server?.readOnly === false,
      said: node.said,
    };
    const waiting = node.unacknowledged > 0 && !replica;
    return {
      self: node.name,
      index: node.index,
      term: node.term,
      granted: this.#isGranted(node),
      proven: node.proven,
      vip: node.vip,
      wrote: false,
      server: server
        ? serverState({
            life: server.life,
            readOnly: server.readOnly,
            source: {
              enabled: server.enabled,
              strict: server.strict,
              active: server.enabled && replica !== undefined,
              replicas: replica ? 1 : 0,
              waiting: waiting ? 1 : 0,
            },
            replica: server.follows
              ? { from: server.follows.name, receiver: "running", applier: true, semiSync: true }
              : {},
          })
        : { down: "startable" },
      quarantine: node.quarantine,
      untold: false,
      rebuild: null,
      peers: [peerView],
      bystanders: this.witnesses.map(({ name, left }) => ({
        name,
        state: left ? "left" : node.deadBystanders.has(name) ? "dead" : "alive",
        silentMs: node.deadBystanders.has(name) ? 60_000 : 0,
      })),
      policy: this.policy,
      gateway: this.#look(node),
      heard: node.heard ? [peer.name] : [],
      standDown: node.standDown > 0,
      stopping: false,
      leaving: false,
      full: null,
      failing: null,
      stuckMs: waiting ? 5_000 : 0,
      flowing: !waiting,
      unheard: false,
      yielded: node.yielded,
    };
  }

  /** One round of the node's guard. Returns what it did. */
  step(node: Node): Step["do"] | undefined {
    if (!node.power || !node.agent || node.ballot) return undefined;
    if (node.standDown > 0) node.standDown -= 1;
    if (node.vip !== "MASTER") node.yielded = [];
    const decision = decide(this.view(node));
    this.#setEligible(node, decision.eligible);
    if (decision.step) this.#perform(node, decision.step);
    return decision.step?.do;
  }

  #setEligible(node: Node, eligible: boolean): void {
    node.eligible = eligible;
    if (!eligible) node.vip = "FAULT";
  }

  #remember(node: Node, term: Term): void {
    node.term = term;
    if (term.writer === node.name) node.ownTerm = term.term;
    node.standDown = 0;
    // A new term is sent to a peer that lives before anything rests on it.
    const peer = this.peerOf(node);
    if (this.#answers(node, peer) && node.agent) peer.said = this.publish(node);
  }

  /** Whether the agent of `other` answers `node`. */
  #answers(node: Voter, other: Voter): boolean {
    return other.agent && !other.left && this.#isLinked(node, other);
  }

  #isGranted({ name: self, term, grantedTerm }: Node): boolean {
    if (term === null) return false;
    return (
      grantedTerm === term.term ||
      isMajority(
        term,
        (name) => name === self,
        () => false,
      )
    );
  }

  #startBallot(node: Node, term: Term, alone: boolean): void {
    const others = electorate(term).filter((name) => name !== node.name);
    node.ballot = {
      term,
      alone,
      granted: new Set([node.name]),
      saidNo: false,
      open: others.map((name) => ({ voter: this.#named(name) })),
    };
    this.#count(node, node.ballot);
  }

  /** One message of a ballot arrives: a question at a voter, or its answer at the asker. */
  deliver(node: Node, random: () => number): void {
    const { ballot } = node;
    const question = ballot?.open[Math.floor(random() * ballot.open.length)];
    if (!ballot || !question || !node.agent || !this.#answers(node, question.voter)) return;
    if (question.answer === undefined) {
      question.answer = this.#judge(question.voter, ballot.term, node);
      const { term } = question.voter;
      if (!question.answer && term && term.term > (node.term?.term ?? 0)) question.newer = term;
      return;
    }
    ballot.open = ballot.open.filter((one) => one !== question);
    if (question.answer) ballot.granted.add(question.voter.name);
    else ballot.saidNo = true;
    if (question.newer && question.newer.term > (node.term?.term ?? 0)) {
      node.ballot = undefined;
      return this.#remember(node, question.newer);
    }
    this.#count(node, ballot);
  }

  /** As in src/cluster/vote/voter.ts, the challenge answered: the asker is there and asks for this. */
  #judge(voter: Voter, asked: Term, asker: Node): boolean {
    if (voter.term === null && asker.term && !this.#copy(voter, asker.term.voters)) return false;
    if (asker.term && asker.term.term > (voter.term?.term ?? 0)) this.#take(voter, asker.term);
    if (judge(voter.term, asked, asker.name, voter.name) !== null) return false;
    const outrun = voter.term && this.#named(voter.term.writer);
    this.#take(voter, asked);
    // The writer that it voted out is told, if it can be.
    if (outrun && outrun !== asker && outrun !== voter && this.#answers(voter, outrun)) {
      if (asked.term > (outrun.term?.term ?? 0)) this.#take(outrun, asked);
    }
    return true;
  }

  #copy(voter: Voter, from: readonly string[]): boolean {
    const others = from.filter((name) => name !== voter.name).map((name) => this.#named(name));
    if (!others.every((other) => this.#answers(voter, other))) return false;
    for (const { term } of others) if (term && term.term > (voter.term?.term ?? 0)) this.#take(voter, term);
    return true;
  }

  #take(voter: Voter, term: Term): void {
    if (isSameTerm(voter.term, term)) return;
    if (voter instanceof Node) this.#remember(voter, term);
    else voter.term = term;
  }

  #count(node: Node, ballot: Ballot): void {
    const isLeft = (name: string) => this.#named(name).left;
    if (isMajority(ballot.term, (name) => ballot.granted.has(name), isLeft)) this.#won(node, ballot);
  }

  /** Who has not answered by now does not count, and may still have granted. */
  giveUp(node: Node): void {
    const { ballot } = node;
    if (!ballot) return;
    const mayNow = node.term !== null && mayGoAlone(this.view(node), node.term) === "yes";
    if (ballot.alone && mayNow && isTied(ballot.term) && !ballot.saidNo) this.#won(node, ballot);
    node.ballot = undefined;
  }

  #won(node: Node, { term }: Ballot): void {
    node.ballot = undefined;
    const isHeld = isSameTerm(node.term, term);
    if (!isHeld && (node.term?.term ?? 0) >= term.term) return;
    node.grantedTerm = term.term;
    if (isHeld) return;
    if (term.in_sync.length === 1) node.proven = node.server?.life ?? null;
    this.#remember(node, term);
  }

  #perform(node: Node, step: Step): void {
    const peer = this.peerOf(node);
    const { server } = node;
    if (step.do === "adopt") this.#remember(node, step.term);
    if (step.do === "ask-votes") this.#startBallot(node, step.term, step.alone);
    if (step.do === "name-voters") {
      for (const name of step.added) {
        const voter = this.#named(name);
        if (!this.#answers(node, voter) || !this.#copy(voter, step.from)) return;
        if (!isSameTerm(voter.term, node.term)) return;
      }
      this.#startBallot(node, step.term, false);
    }
    if (step.do === "start") this.#start(node, step.truncate);
    if (step.do === "prove-peer" || (step.do === "protect" && step.after !== null)) {
      if (!this.#isLevel(node, peer)) return;
      if (step.do === "prove-peer" && step.term) this.#remember(node, step.term);
    }
    if (step.do === "kill") this.killServer(node, () => 1);
    if (step.do === "ask-yield") this.#askYield(node, peer);
    if (!server) return;
    if (step.do === "fence") this.#fence(node);
    if (step.do === "stop-receiver") server.follows = undefined;
    if (step.do === "open") {
      this.#giveUp(node);
      Object.assign(server, { follows: undefined, enabled: true, strict: false, readOnly: false });
      node.proven = server.life;
      node.yielded = [];
    }
    if (step.do === "protect") Object.assign(server, { enabled: true, strict: true });
    if (step.do === "release") {
      Object.assign(server, { enabled: true, strict: false });
      this.#settle(node);
    }
    if (step.do === "follow") this.#follow(node, peer);
  }

  #start(node: Node, truncate: boolean): void {
    // A recovery that keeps the tail commits it. One that drops it drops, besides what nobody was told of, the last
    // transaction that was acknowledged: its commit is in the binary log, and not yet on disk in the engine.
    if (truncate) node.log = node.log.slice(0, Math.max(0, node.log.length - node.unacknowledged - 1));
    node.unacknowledged = 0;
    node.lives += 1;
    node.server = {
      life: `${node.lives}`,
      readOnly: true,
      enabled: false,
      strict: false,
      follows: undefined,
    };
  }

  /** Killed sessions leave their transactions in the log; their clients are told nothing. */
  #fence(node: Node): void {
    const replica = this.replicaOf(node);
    if (replica) replica.log = [...node.log];
    node.unacknowledged = 0;
    if (node.server) Object.assign(node.server, { readOnly: true, enabled: false });
  }

  #askYield(node: Node, peer: Node): void {
    node.yielded = [...node.yielded, peer.name];
    if (!this.#answers(node, peer) || !peer.term) return;
    if (!peer.term.in_sync.includes(node.name)) return this.#remember(node, peer.term);
    peer.standDown = 10;
    if (peer.server) this.#fence(peer);
  }

  #follow(node: Node, peer: Node): void {
    if (!this.#answers(node, peer) || !peer.server || !node.server) return;
    const extra = node.log.filter((id) => !peer.log.includes(id));
    if (extra.length > 0) {
      node.quarantine = extra.join(",");
      return;
    }
    node.server.enabled = false;
    node.server.follows = peer;
    node.log = [...peer.log];
    this.#settle(peer);
  }

  #isLevel(node: Node, peer: Node): boolean {
    if (!this.#answers(node, peer) || !peer.server?.readOnly || peer.server.follows !== node) return false;
    const heard = node.said?.life ?? undefined;
    if (node.provePoint?.life !== heard) node.provePoint = { length: node.log.length, life: heard };
    if (peer.log.length < (node.provePoint?.length ?? 0)) return false;
    peer.proven = peer.server.life;
    if (peer.server.life !== heard) return false;
    node.provePoint = undefined;
    return true;
  }
}

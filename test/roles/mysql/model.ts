import { decide, isAble, mayGrant } from "../../../src/roles/mysql/guard/decide.ts";
import type { PeerView, Step, View } from "../../../src/roles/mysql/guard/view.ts";
import type { Published } from "../../../src/roles/mysql/published.ts";
import type { Term } from "../../../src/roles/mysql/term.ts";
import { published, server as serverState } from "./views.ts";

/**
 * Two nodes, their servers and the VIP, as far as the guard's rules speak of them: who holds which transaction, who
 * waits for whom, what a restart keeps. The decisions are the real ones; what steps do is modelled on what was tried
 * on MariaDB 10.11.
 *
 * It cannot show: the choice of the very first writer while the other node is down, a cut between two living nodes (conceded without a third voter), a step that is interrupted in the
 * middle, a server that breaks its own rules, lost disk writes below a completed fsync.
 */
export class Node {
  readonly name: string;
  readonly index: number;
  power = true;
  agent = true;
  /** Durable. */
  term: Term | null = null;
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
  /** Heard the peer since its agent started. */
  heard = false;
  provePoint: { length: number; life: string | undefined } | undefined;

  constructor(index: number) {
    this.index = index;
    this.name = `node${index}`;
  }
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
  /** Transactions that some client was told of. */
  readonly acknowledged = new Set<number>();
  #next = 1;

  /** Two nodes that have just chosen their first writer. */
  constructor() {
    for (const node of [this.a, this.b]) node.term = { term: 1, writer: this.a.name, in_sync: [this.a.name] };
  }

  peerOf(node: Node): Node {
    return node === this.a ? this.b : this.a;
  }

  /** A replica that acknowledges to this writer right now. */
  replicaOf(writer: Node): Node | undefined {
    const peer = this.peerOf(writer);
    return peer.server?.follows === writer && peer.power ? peer : undefined;
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
    return true;
  }

  killServer(node: Node): void {
    node.server = undefined;
    node.quarantine = null;
    this.#setEligible(node, false);
  }

  powerOff(node: Node): void {
    node.power = false;
    node.server = undefined;
    node.quarantine = null;
    node.eligible = false;
    node.vip = "FAULT";
    node.standDown = 0;
    node.yielded = [];
    node.said = null;
    node.heard = false;
  }

  boot(node: Node): void {
    if (node.power) return;
    node.power = true;
    node.agent = true;
  }

  killAgent(node: Node): void {
    node.agent = false;
  }

  /** systemd has it back; what it heard and was asked is forgotten, VIP and server go on. */
  restartAgent(node: Node): void {
    if (node.agent) return;
    Object.assign(node, {
      agent: true,
      said: null,
      heard: false,
      standDown: 0,
      yielded: [],
      quarantine: null,
    });
  }

  /** keepalived: `nopreempt`, the lower index first; a node without power or in FAULT has it not. */
  moveVip(): void {
    for (const node of [this.a, this.b]) {
      if (!node.power || !node.eligible) node.vip = "FAULT";
      else if (node.vip === "FAULT") node.vip = "BACKUP";
    }
    if ([this.a, this.b].some((node) => node.vip === "MASTER")) return;
    const next = [this.a, this.b].find((node) => node.vip === "BACKUP");
    if (next) next.vip = "MASTER";
  }

  /** keepalived was restarted on the holder: the other takes the VIP if it may. */
  flapVip(): void {
    const holder = [this.a, this.b].find((node) => node.vip === "MASTER");
    if (!holder) return;
    const other = this.peerOf(holder);
    holder.vip = "BACKUP";
    if (other.power && other.eligible) other.vip = "MASTER";
    else holder.vip = "MASTER";
  }

  /** A record travels: the node now knows what its peer says of itself. */
  hear(node: Node): void {
    const peer = this.peerOf(node);
    node.heardDead = !peer.power || !peer.agent;
    if (node.heardDead) return;
    node.said = this.publish(peer);
    node.heard = true;
  }

  publish(node: Node): Published {
    const { server } = node;
    const able = isAble(this.view(node)) && node.standDown === 0;
    if (!server) return published({ term: node.term, state: "down", life: null });
    return published({
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
      said: node.said,
    };
    const waiting = node.unacknowledged > 0 && !replica;
    return {
      self: node.name,
      index: node.index,
      term: node.term,
      proven: node.proven,
      vip: node.vip,
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
      peers: [peerView],
      heard: node.heard ? [peer.name] : [],
      standDown: node.standDown > 0,
      stuckMs: waiting ? 5_000 : 0,
      yielded: node.yielded,
    };
  }

  /** One round of the node's guard. Returns what it did. */
  step(node: Node): Step["do"] | undefined {
    if (!node.power || !node.agent) return undefined;
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
    node.standDown = 0;
    // A new term is sent to a peer that lives before anything rests on it.
    const peer = this.peerOf(node);
    if (this.#answers(peer) && node.power && node.agent) peer.said = this.publish(node);
  }

  #answers(peer: Node): boolean {
    return peer.power && peer.agent;
  }

  #perform(node: Node, step: Step): void {
    const peer = this.peerOf(node);
    const { server } = node;
    if (step.do === "adopt") this.#remember(node, step.term);
    if (step.do === "claim") this.#claim(node, peer, step);
    if (step.do === "start") this.#start(node, step.truncate);
    if (step.do === "prove-peer" || (step.do === "protect" && step.after !== null)) {
      if (!this.#isLevel(node, peer)) return;
      if (step.do === "prove-peer" && step.term) this.#remember(node, step.term);
    }
    if (step.do === "ask-yield") this.#askYield(node, peer);
    if (!server) return;
    if (step.do === "record-alone") {
      this.#remember(node, step.term);
      node.proven = server.life;
    }
    if (step.do === "fence") this.#fence(node);
    if (step.do === "stop-receiver") server.follows = undefined;
    if (step.do === "open") {
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

  #claim(node: Node, peer: Node, { term, ask }: { term: Term; ask: readonly string[] }): void {
    if (ask.includes(peer.name)) {
      if (!this.#answers(peer)) return;
      if (!mayGrant(this.view(peer), term, node)) {
        if (peer.term && peer.term.term > (node.term?.term ?? 0)) this.#remember(node, peer.term);
        return;
      }
      this.#remember(peer, term);
    }
    this.#remember(node, term);
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
    if (!this.#answers(peer) || !peer.term) return;
    if (!peer.term.in_sync.includes(node.name)) return this.#remember(node, peer.term);
    peer.standDown = 10;
    if (peer.server) this.#fence(peer);
  }

  #follow(node: Node, peer: Node): void {
    if (!this.#answers(peer) || !peer.server || !node.server) return;
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
    if (!this.#answers(peer) || !peer.server?.readOnly || peer.server.follows !== node) return false;
    const heard = node.said?.life ?? undefined;
    if (node.provePoint?.life !== heard) node.provePoint = { length: node.log.length, life: heard };
    if (peer.log.length < (node.provePoint?.length ?? 0)) return false;
    peer.proven = peer.server.life;
    if (peer.server.life !== heard) return false;
    node.provePoint = undefined;
    return true;
  }
}

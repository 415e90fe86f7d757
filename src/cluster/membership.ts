import * as v from "valibot";
import { authority } from "../core/authority.ts";
import type { Clock } from "../core/clock.ts";
import { ChimeError, Exit, failed, refused, usageError } from "../core/errors.ts";
import { log } from "../core/log.ts";
import { agentPort } from "../core/paths.ts";
import type { Secrets } from "../spec/types.ts";
import { isRemoved, protocolVersion, removed, renewalFields, type RoleLimit } from "./admission.ts";
import { peerUnreachable } from "./channel.ts";
import { Coordinator, specConflict } from "./coordinator.ts";
import { answerStranger } from "./door.ts";
import type { Credentials } from "./identity.ts";
import { Contacts } from "./contacts.ts";
import { packet } from "./gossip/types.ts";
import { documentsKey, itemsOf, recordKey, recordVersion } from "./items.ts";
import { suspectMs } from "./peers.ts";
import { signFields, verifyFields, type PeerIdentity } from "./pki.ts";
import { signRecord } from "./record.ts";
import { standing } from "./renewal.ts";
import {
  exchangeAnswer,
  exchangeRequest,
  jsonBytes,
  maxRecordBytes,
  renewAnswer,
  stateParts,
  type Admission,
  type RenewAnswer,
  type SignedRecord,
  type StateParts,
} from "./schema.ts";
import { signSpec } from "./spec-document.ts";
import { SharedState, type Merged } from "./state.ts";
import { Saver, type Stored, type StateStore } from "./store.ts";
import { Tokens } from "./tokens.ts";
import { trustIn } from "./trust.ts";
import type { Link, OpenPackets, PacketTrouble, PeerAddress, Transport } from "./transport.ts";
import type { Liveness, Member, Membership, MemberView, Pause, SpecDocument } from "./types.ts";

export interface MembershipOptions {
  /** Called at each use: the certificate is renewed while the agent runs. */
  credentials: () => Credentials;
  /** What joiners that are no witnesses get. */
  secrets: () => Secrets;
  store: StateStore;
  transport: Transport;
  packets: OpenPackets;
  clock: Clock;
  /** 0 ≤ x < 1. */
  random: () => number;
  binaryVersion: string;
  /** Undefined: there is no such role. */
  roleLimit: (role: string) => RoleLimit | undefined;
  /** Throws where agents of this version could not work by this cluster.toml. */
  checkSpec: (toml: string) => void;
  /** The port at which members take joiners; tokens name it where it is not the usual one. */
  port?: number;
}

/**
 * Answers a peer's `Membership.call`. Params come from the network: parse them.
 * @param index the peer's: its name may be another one's, too, where somebody has the CA's key who should not
 */
export type Handler = (params: unknown, from: string, method: string, index: number) => Promise<unknown>;

/**
 * Time that a push to one peer may take: as long as it would take to suspect the peer. Longer would hold up a guard that
 * publishes while its peer dies; a peer that is merely slow finds what it missed by the next beats.
 */
const pushMs = suspectMs;
const exchangeMs = 3_000;
/** Questions in a row, where one answer does not hold all: what is left then comes with the next exchange. */
const exchangeRounds = 64;
const renewMs = 5_000;
/** Records alone are on disk this late: phases and guards' states are told again by their owners anyway. */
const lazySaveMs = 10_000;

const empty: StateParts = { admissions: [], records: [], tokens: [], spec: null };
const beat = v.object({ digest: v.pipe(v.string(), v.maxLength(64)) });
const decision = v.object({
  operation: v.picklist(["admit", "takeRoles", "publish", "renew"]),
  params: v.optional(v.unknown()),
});

/** Who is a member, and what they share: beats and pushes among those that are close, gossip among all. */
export class ClusterMembership implements Membership {
  readonly tokens: Tokens;
  private readonly options: MembershipOptions;
  private readonly state: SharedState;
  private readonly contacts: Contacts;
  private readonly coordinator: Coordinator;
  private readonly saver: Saver;
  private readonly handlers = new Map<string, Handler>();
  private readonly listeners = new Set<() => void>();
  private readonly refusals = new Map<number, string>();
  private readonly stopping = new AbortController();
  private record: Member;
  private lazySaveAt: number | undefined;
  private isListing = false;

  /** @param stored what was known before */
  private constructor(options: MembershipOptions, stored: Stored | undefined) {
    this.options = options;
    const { credentials, clock, transport, random, binaryVersion, roleLimit } = options;
    const { identity } = credentials();
    this.state = new SharedState(identity.cluster.id, trustIn(credentials()));
    const { state } = this;
    if (stored) state.merge(stored.state);
    const { index } = identity.self;
    const admission = state.admission(index);
    const before = state.record(index);
    // `roleState` starts empty: what a guard said before the restart may be wrong by now, and it speaks again at once.
    this.record = {
      ...blankRecord(identity.self, binaryVersion),
      roles: admission?.roles ?? [],
      phase: before?.phase ?? {},
      facts: before?.facts ?? null,
      left: admission?.left ?? false,
      incarnation: (stored?.incarnation ?? 0) + 1,
      version: 1,
    };
    state.setSelf({ member: this.record, signed: this.signed() });
    const spread = (parts: Partial<StateParts>, concerned?: number) => this.spread(parts, concerned);
    this.saver = new Saver(options.store, () => ({
      incarnation: this.record.incarnation,
      state: state.parts(),
    }));
    this.contacts = new Contacts({
      self: index,
      incarnation: this.record.incarnation,
      transport,
      packets: options.packets,
      clock,
      random,
      items: itemsOf(state, {
        self: index,
        take: (record) => this.merge({ ...empty, records: [record] }),
        fetch: (key, from) => this.fetch(key, from),
      }),
      exchange: (peer, link) => this.exchange(peer, link),
      changed: () => this.changed(),
    });
    this.coordinator = new Coordinator({
      credentials,
      state,
      clock,
      binaryVersion,
      roleLimit,
      checkOpen: () => this.checkOpen(),
      checkSpec: options.checkSpec,
      spread,
      liveness: (other) => this.contacts.state(other),
      ask: async (member, operation, params, timeoutMs) => {
        const link = await this.contacts.link(member.index, timeoutMs);
        return await link.request("decide", { operation, params }, timeoutMs);
      },
    });
    this.tokens = new Tokens({
      credentials,
      state,
      clock,
      roleLimit,
      spread,
      checkOpen: () => this.checkOpen(),
      doors: () => this.doors(),
    });
  }

  /** Takes up what was known before, listens, and begins to look for the others. @throws ChimeError `agent.port_taken` */
  static async start(options: MembershipOptions): Promise<ClusterMembership> {
    const membership = new ClusterMembership(options, await options.store.load());
    await membership.begin();
    return membership;
  }

  /**
   * While a rotation of the CA begins nobody is let in: who is a member is being written down, and no token of the CA that
   * comes is there yet.
   * @throws ChimeError `ca.beginning`
   */
  private checkOpen(): void {
    if (!this.isListing && this.options.credentials().rollover?.stage !== 1) return;
    throw failed(
      "ca.beginning",
      "the cluster's CA is being rotated: nobody can be let in until the new one signs",
      {
        remedy: "in some seconds, with a token that is made then; chime-node ca show tells how far it is",
      },
    );
  }

  /** Lets nobody in while what is a list of all members is being written down and taken up. */
  async listing<T>(work: (admissions: Admission[]) => Promise<T>): Promise<T> {
    this.isListing = true;
    try {
      return await work(this.state.allAdmissions());
    } finally {
      this.isListing = false;
    }
  }

  /** By whom this cluster's members are admitted, those that left, too. */
  admissions(): Admission[] {
    return this.state.allAdmissions();
  }

  /** To be called when another CA's word counts (rollover.ts). */
  anchor(): void {
    this.state.anchor(trustIn(this.options.credentials()));
    this.syncContacts();
    this.saveSoon();
    this.gossipDocuments();
    this.changed();
  }

  private async begin(): Promise<void> {
    const { transport } = this.options;
    // Without it the others' memory of this node is outdone (`take`): an agent that says what is wrong is worth more.
    await this.saver.save().catch((error: unknown) => {
      log.error("the cluster's state cannot be saved:", error);
      this.lazySaveAt = this.options.clock.now() + lazySaveMs;
    });
    await transport.listen(
      (peer, method, params) => this.serve(peer, method, params),
      (peer, why) => this.refuse(peer.index, why),
    );
    await this.contacts.listen();
    this.syncContacts();
    void this.run();
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted) {
      const pause = this.contacts.tick();
      if (this.lazySaveAt !== undefined && clock.now() >= this.lazySaveAt) this.saveSoon();
      await clock.sleep(pause, signal).catch(() => undefined);
    }
  }

  /** Stops talking; what is known is on disk. The others see this node go silent, not leave. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.contacts.stop();
    await this.options.transport.close();
    await this.saver.save();
  }

  get self(): Member {
    return this.record;
  }

  members(): MemberView[] {
    return this.state.members().map((admission) => {
      const isSelf = admission.index === this.record.index;
      const state = this.liveness(admission);
      const record = this.state.record(admission.index) ?? {
        ...blankRecord(admission, ""),
        roles: admission.roles,
      };
      return {
        ...record,
        left: admission.left,
        state,
        silentMs: isSelf ? 0 : this.contacts.silentMs(admission.index),
        refused: (state === "alive" ? undefined : this.refusals.get(admission.index)) ?? null,
      };
    });
  }

  pause(): Pause {
    return this.contacts.pause();
  }

  /** What keeps datagrams back, while TCP gets through; undefined: nothing. */
  get packetTrouble(): PacketTrouble | undefined {
    return this.contacts.packetTrouble;
  }

  /** Datagrams that came and were not taken, since the start, by their reason. */
  get refusedDatagrams(): Readonly<Record<string, number>> {
    return this.contacts.refused;
  }

  private refuse(index: number, why: string): void {
    if (this.refusals.get(index) !== why) log.warn(`member ${index} is refused: ${why}`);
    this.refusals.set(index, why);
  }

  private liveness(admission: Admission): Liveness {
    if (admission.left) return "left";
    return admission.index === this.record.index ? "alive" : this.contacts.state(admission.index);
  }

  /** @throws ChimeError `record.too_large` */
  async update(
    change: Partial<Pick<Member, "roles" | "phase" | "roleState" | "facts" | "left">>,
  ): Promise<void> {
    if (change.left) await this.leave();
    const next = { ...this.record, ...change, version: this.record.version + 1 };
    if (jsonBytes(next) > maxRecordBytes) {
      throw failed("record.too_large", `this node's record would be larger than ${maxRecordBytes} bytes`);
    }
    const signed = this.setRecord(next);
    if (change.phase) this.saveSoon();
    this.changed();
    await this.push({ records: [signed] });
  }

  private setRecord(next: Member): SignedRecord {
    this.record = next;
    const signed = this.signed();
    this.state.setSelf({ member: next, signed });
    this.lazySaveAt ??= this.options.clock.now() + lazySaveMs;
    return signed;
  }

  private signed(): SignedRecord {
    const { identity, key } = this.options.credentials();
    return signRecord(key.privateKey, identity.cluster.id, this.record);
  }

  /** @throws ChimeError `spec.missing` in the first moments after a state was lost */
  spec(): SpecDocument {
    const document = this.state.spec();
    if (!document) {
      throw failed("spec.missing", "this node has not yet received the cluster's spec", {
        remedy: "chime-node status; is another member up?",
      });
    }
    return document;
  }

  /**
   * Publishes an edited cluster.toml as the next version, everywhere.
   * @param basedOn the version that was edited
   * @throws ChimeError `spec.conflict` (exit 3) when another version was published meanwhile
   */
  async publishSpec(toml: string, basedOn: number): Promise<SpecDocument> {
    const current = this.state.spec();
    if (current && current.version !== basedOn)
      throw specConflict(basedOn, current.version, current.publisher);
    const { identity, key } = this.options.credentials();
    const document = signSpec(key.privateKey, identity.cluster.id, {
      version: basedOn + 1,
      toml,
      publisher: this.record.name,
    });
    await this.coordinator.publish(document);
    this.merge({ ...empty, spec: document });
    return document;
  }

  /**
   * Takes roles on this node besides those it has, if there is room.
   * @throws ChimeError `join.role_full`, `join.unknown_role`, `role.witness` (exit 3), `cluster.no_authority`
   */
  async takeRoles(roles: readonly string[]): Promise<void> {
    await this.coordinator.takeRoles(roles);
    await this.update({ roles: [...new Set([...this.record.roles, ...roles])] });
  }

  /**
   * A certificate with a new term for this node's key; PEM. Where the present one opens no door any more, it is asked for
   * at the doors of the others; one that holds the CA signs its own only where nobody is there to tell the time.
   * @throws ChimeError `cluster.no_authority`, `join.clock_skew`, `renew.*`, `member.removed`
   */
  async renewCertificate(): Promise<string> {
    const { credentials, clock } = this.options;
    const { certificate } = credentials();
    const now = standing(certificate, clock.wall());
    if (now === "good" || now === "due") return await this.coordinator.renew();
    return (await this.knock())?.certificate ?? (await this.coordinator.renew());
  }

  /**
   * Asks for a certificate at the doors of the members that hold the CA, without showing one; undefined: nobody is there.
   * @throws ChimeError `join.clock_skew`, `renew.*`, `member.removed`
   */
  async knock(): Promise<RenewAnswer | undefined> {
    const { credentials, clock } = this.options;
    const { identity, key } = credentials();
    const { index } = identity.self;
    const holders = this.state.members().filter((m) => !m.left && !m.witness && m.index !== index);
    const answers = holders.map(async (holder) => {
      const wall = clock.wall();
      const possession = signFields(key.privateKey, renewalFields(identity.cluster.id, index, wall));
      const link = await this.options.transport.knock(holder);
      try {
        return v.parse(renewAnswer, await link.request("renew", { index, wall, possession }, renewMs));
      } finally {
        link.close();
      }
    });
    const outcomes = await Promise.allSettled(answers);
    const given = outcomes.find((outcome) => outcome.status === "fulfilled");
    if (given) return given.value;
    const no = outcomes.find((outcome) => outcome.status === "rejected" && isRefusal(outcome.reason));
    if (no?.status === "rejected") throw no.reason;
    return undefined;
  }

  /** This node is no member any more; it may come back by a join, under a new index. */
  async leave(): Promise<void> {
    await this.spread({ admissions: this.selfAsLeft() });
  }

  /**
   * Takes another member out, be it dead or alive: its certificate opens no door any more.
   * @param name or NAME:INDEX, for one of two of a name
   * @throws ChimeError `member.unknown`, `member.self`, `member.witness`
   */
  async remove(name: string): Promise<void> {
    const admission = this.meant(name);
    if (this.state.admission(this.record.index)?.witness) {
      throw refused(
        "member.witness",
        "a witness takes no other member out of the cluster",
        `run \`chime-node remove ${name}\` on a member that is not a witness`,
      );
    }
    if (admission.index === this.record.index) {
      throw refused("member.self", `${name} is this node`, "chime-node leave takes this node out");
    }
    await this.spread({ admissions: [{ ...admission, left: true }] }, admission.index);
  }

  /** By the CA's word, not by what its own record says. @throws ChimeError `member.unknown` */
  isWitness(name: string): boolean {
    return this.named(name).witness;
  }

  /** By this node's key, for this cluster. @param purpose no signature of one is good for another */
  sign(purpose: string, fields: readonly unknown[]): string {
    const { identity, key } = this.options.credentials();
    return signFields(key.privateKey, [purpose, identity.cluster.id, ...fields]);
  }

  /** Whether a member of that name signed them, be it one that left since; a witness's signature is none. */
  isSignedBy(name: string, purpose: string, fields: readonly unknown[], signature: string): boolean {
    const all = [purpose, this.options.credentials().identity.cluster.id, ...fields];
    return this.state
      .allAdmissions()
      .some((one) => one.name === name && !one.witness && verifyFields(one.publicKey, all, signature));
  }

  private selfAsLeft(): Admission[] {
    const admission = this.state.admission(this.record.index);
    // Should another node have our index (SharedState), it is not us who may take it out.
    const isOurs = admission?.publicKey === this.options.credentials().key.publicKey;
    return admission && isOurs ? [{ ...admission, left: true }] : [];
  }

  /**
   * Members that have not left, and share a name or an address: two sides of a cut let them in, or a thief of the CA's key
   * made one of them up.
   */
  contested(): Admission[] {
    const present = this.state.allAdmissions().filter(({ left }) => !left);
    return present.filter((one) =>
      present.some((other) => other !== one && (other.name === one.name || other.address === one.address)),
    );
  }

  /** @param name or NAME:INDEX, for one of two of a name @throws ChimeError `member.unknown` */
  meant(name: string): Admission {
    const [bare = "", index] = name.split(":");
    if (index === undefined) return this.named(bare);
    const admission = this.state.admission(Number(index));
    if (admission?.name !== bare || admission.left) throw noMember(name);
    return admission;
  }

  /** @throws ChimeError `member.unknown` */
  private named(name: string): Admission {
    const admission = this.state.members().find((member) => member.name === name && !member.left);
    if (!admission) throw noMember(name);
    return admission;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) {
      try {
        listener();
      } catch (error) {
        log.error("a listener to changes of the membership failed:", error);
      }
    }
  }

  async call(peer: string, method: string, params: unknown, timeoutMs: number): Promise<unknown> {
    const { index } = this.named(peer);
    if (index === this.record.index) return await this.answer(method, params, { name: peer, index });
    if (this.contacts.state(index) === "dead") throw peerUnreachable(peer, "its agent is silent");
    const { clock } = this.options;
    const deadline = clock.now() + timeoutMs;
    const link = await this.contacts.link(index, timeoutMs);
    return await link.request(`call.${method}`, params, Math.max(1, deadline - clock.now()));
  }

  /**
   * Registers what answers `Membership.call(…, method, …)` on this node: a method, or a whole family of them, whose
   * handler is told what stands behind `FAMILY.`.
   */
  handle(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
  }

  private async answer(
    method: string,
    params: unknown,
    { name, index }: Pick<PeerIdentity, "name" | "index">,
  ): Promise<unknown> {
    const dot = method.lastIndexOf(".");
    const exact = this.handlers.get(method);
    const handler = exact ?? this.handlers.get(method.slice(0, Math.max(0, dot)));
    if (!handler) throw refused("peer.no_method", `this node's agent knows no ${method}`);
    return await handler(params, name, exact ? method : method.slice(dot + 1), index);
  }

  private async serve(peer: PeerIdentity | undefined, method: string, params: unknown): Promise<unknown> {
    if (this.record.left)
      throw failed("peer.left", `${this.record.name} is no longer a member of the cluster`);
    if (!peer) {
      const { state, coordinator } = this;
      const refused = (index: number, why: string) => this.refuse(index, why);
      return await answerStranger(method, params, { ...this.options, state, coordinator, refused });
    }
    const asked = method === "exchange" ? v.parse(exchangeRequest, params) : undefined;
    this.checkBelongs(peer, asked?.admission ?? undefined);
    // A node asks for packages before its agent is up.
    if (!method.startsWith("call.bundle.")) this.contacts.heard(peer.index);
    if (asked) {
      this.contacts.hear(asked.statements, peer.index);
      return { ...this.state.compare(asked.summary), statements: this.contacts.statements() };
    }
    switch (method) {
      case "beat":
        return this.contacts.heardDigest(peer.index, v.parse(beat, params).digest);
      case "gossip":
        return this.contacts.receive(v.parse(packet, params), peer.index) ?? null;
      case "push":
        this.merge(this.credible(peer.index, v.parse(stateParts, params)));
        return null;
      case "decide": {
        const { operation, params: inner } = v.parse(decision, params);
        return await this.coordinator.asked(operation, inner, peer.index);
      }
      default:
        if (!method.startsWith("call.")) throw refused("peer.no_method", `agents know no ${method}`);
        return await this.answer(method.slice("call.".length), params, peer);
    }
  }

  /**
   * Its certificate is genuine; does it still count? Who shows an admission that we did not know, or that outdoes the
   * one we knew, may be right: the CA signed it.
   * @throws ChimeError `member.removed`, `member.unknown`
   */
  private checkBelongs(peer: PeerIdentity, offered: Admission | undefined): void {
    if (offered?.index === peer.index && this.state.admission(peer.index)?.publicKey !== peer.publicKey) {
      this.merge({ ...empty, admissions: [offered] });
    }
    const admission = this.state.admission(peer.index);
    if (!admission) {
      throw refused("member.unknown", `${this.record.name} does not know member ${peer.name} yet`);
    }
    const isOther = admission.publicKey !== peer.publicKey || admission.name !== peer.name;
    if (admission.left || isOther) throw removed(peer.name);
    this.refusals.delete(peer.index);
  }

  private async exchange(peer: PeerAddress, link: Link): Promise<void> {
    try {
      for (let round = 0; round < exchangeRounds; round++) {
        if (!(await this.exchangeOnce(peer, link))) return;
      }
    } catch (error) {
      if (isRemoved(error)) this.heardRemoved(peer);
      throw error;
    }
  }

  /** @returns whether there is more to take */
  private async exchangeOnce(peer: PeerAddress, link: Link): Promise<boolean> {
    const admission = this.state.admission(this.record.index) ?? null;
    const asked = { admission, summary: this.state.summary(), statements: this.contacts.statements() };
    const answer = await link.request("exchange", asked, exchangeMs);
    const { parts, more, wanted, statements } = v.parse(exchangeAnswer, answer);
    this.contacts.hear(statements, peer.index);
    const isNew = this.merge(this.credible(peer.index, parts));
    for (const message of this.state.asked(wanted)) await link.request("push", message, exchangeMs);
    return more && isNew;
  }

  /** This node was removed while its agent was not there to hear it; a witness's word for that is not enough. */
  private heardRemoved(from: PeerAddress): void {
    const isWitness = this.state.admission(from.index)?.witness ?? true;
    if (isWitness) {
      const other = this.someMember();
      if (other) this.contacts.exchange(other.index);
      return;
    }
    log.warn(`${from.name} says that this node was removed from the cluster`);
    this.merge({ ...empty, admissions: this.selfAsLeft() });
  }

  /**
   * What a member may tell. One that holds the CA could make up everything anyway. A witness is trusted with less: it
   * speaks for itself, and passes on what others signed: their records, and a spec; its own goes by the coordinator,
   * which reads it first.
   */
  private credible(from: number, parts: StateParts): StateParts {
    if (!this.state.admission(from)?.witness) return parts;
    const own = ({ index }: { index: number }) => index === from;
    const publisher = this.state.members().find(({ name }) => name === parts.spec?.publisher);
    return {
      admissions: parts.admissions.filter(own),
      records: parts.records,
      tokens: [],
      spec: publisher?.witness === false ? parts.spec : null,
    };
  }

  /** Gossip told of something that this node lacks: it is on a member that is trusted with it. */
  private fetch(key: string, from: number): void {
    const isTrusted = key !== documentsKey || !this.state.admission(from)?.witness;
    const source = isTrusted ? from : this.someMember()?.index;
    if (source !== undefined) this.contacts.exchange(source);
  }

  /** Another one that holds the CA; one of those alive, where any is known to be. */
  private someMember(): Admission | undefined {
    const others = this.state
      .members()
      .filter(({ witness, left, index }) => !witness && !left && index !== this.record.index);
    const alive = others.filter(({ index }) => this.contacts.state(index) === "alive");
    const chosen = alive.length > 0 ? alive : others;
    return chosen[Math.floor(this.options.random() * chosen.length)];
  }

  /** Takes in what another member or this one says, and acts on what is new in it. Returns whether anything was. */
  private merge(parts: StateParts): boolean {
    const merged = this.take(parts);
    if (merged.durable) this.syncContacts();
    return merged.changed;
  }

  private take(parts: StateParts): Merged {
    const merged = this.state.merge(parts, this.record.index);
    if (merged.outdone) {
      // The state on this disk was lost or put back: what others remember of this node must not win over the present.
      const { incarnation, phase } = merged.outdone;
      const signed = this.setRecord({
        ...this.record,
        incarnation: incarnation + 1,
        phase: { ...phase, ...this.record.phase },
      });
      merged.changed = true;
      void this.push({ records: [signed] });
    }
    if (!merged.changed) return merged;
    for (const index of merged.records) this.gossipRecord(index);
    if (merged.durable) this.gossipDocuments();
    const mine = this.state.admission(this.record.index);
    if (mine?.roles.some((role) => !this.record.roles.includes(role))) {
      const roles = [...new Set([...this.record.roles, ...mine.roles])];
      const signed = this.setRecord({ ...this.record, roles, version: this.record.version + 1 });
      void this.push({ records: [signed] });
    }
    const { publicKey } = this.options.credentials().key;
    if (mine && !this.record.left && (mine.left || mine.publicKey !== publicKey)) {
      log.warn("this node is no longer a member of the cluster");
      this.setRecord({ ...this.record, left: true, version: this.record.version + 1 });
    }
    if (merged.durable) this.saveSoon();
    else this.lazySaveAt ??= this.options.clock.now() + lazySaveMs;
    this.changed();
    return merged;
  }

  private gossipRecord(index: number): void {
    const known = this.state.known(index);
    if (!known) return;
    const { member, signed } = known;
    this.contacts.spread({ key: recordKey(index), version: recordVersion(member), body: signed });
  }

  /** A notice alone: who may tell of them is known over TLS. */
  private gossipDocuments(): void {
    this.contacts.spread({ key: documentsKey, version: this.state.summary().documents });
  }

  private syncContacts(): void {
    const members = this.record.left ? [] : this.state.members();
    const others = members.filter((member) => !member.left && member.index !== this.record.index);
    this.contacts.sync(others, this.state.admission(this.record.index)?.roles ?? []);
  }

  private saveSoon(): void {
    this.lazySaveAt = undefined;
    this.saver.save().catch((error: unknown) => {
      log.error("the cluster's state cannot be saved:", error);
      this.lazySaveAt = this.options.clock.now() + lazySaveMs;
    });
  }

  /** Merges and saves, and tells confidants before it resolves. @param concerned must be among them */
  private async spread(parts: Partial<StateParts>, concerned?: number): Promise<void> {
    this.take({ ...empty, ...parts });
    await Promise.all([this.saver.save(), this.push(parts, concerned)]);
    // Only now: a member that leaves must be able to say so, and one that is removed hears it.
    this.syncContacts();
  }

  /** Resolves when all confidants that are alive have it, or did not take it in time: gossip will bring it to them. */
  private async push(parts: Partial<StateParts>, concerned?: number): Promise<void> {
    if (parts.records) this.gossipRecord(this.record.index);
    const sent = this.contacts.confidants(concerned).map(async ({ index, alive }) => {
      const answer = this.contacts
        .link(index, pushMs)
        .then((link) => link.request("push", parts, pushMs))
        .catch(() => undefined);
      if (alive) await answer;
    });
    await Promise.all(sent);
  }

  private doors(): string[] {
    const { port = agentPort } = this.options;
    return this.members()
      .filter((member) => member.state !== "left" && !this.state.admission(member.index)?.witness)
      .sort((a, b) => a.silentMs - b.silentMs)
      .slice(0, 16)
      .map(({ address }) => doorAddress(address, port));
  }
}

/** What a token says: the port only where it is not the usual one. */
function doorAddress(address: string, port: number): string {
  return port === agentPort ? address : authority(address, port);
}

function noMember(name: string): ChimeError {
  return usageError("member.unknown", `there is no member ${name}`, "chime-node status");
}

function isRefusal(error: unknown): boolean {
  return error instanceof ChimeError && error.exit === Exit.refused;
}

function blankRecord(node: { name: string; index: number; address: string }, binaryVersion: string): Member {
  return {
    name: node.name,
    index: node.index,
    address: node.address,
    roles: [],
    phase: {},
    roleState: {},
    facts: null,
    binaryVersion,
    protocol: protocolVersion,
    left: false,
    incarnation: 0,
    version: 0,
  };
}

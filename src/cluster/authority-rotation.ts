import { createHash, X509Certificate } from "node:crypto";
import * as v from "valibot";
import { failed, refused, usageError } from "../core/errors.ts";
import { registerSecret } from "../core/mask.ts";
import { log } from "../core/log.ts";
import { admissionHash, admissionIsGenuine } from "./admission.ts";
import type { Credentials, RolloverChange } from "./identity.ts";
import type { ClusterMembership } from "./membership.ts";
import { caPublicKey, createAuthority, publicKeyOf } from "./pki.ts";
import {
  beginRollover,
  idOf,
  lastStage,
  mayFollow,
  nextStage,
  rollover,
  rolloverState,
  versionOf,
  type Rollover,
  type RolloverState,
} from "./rollover.ts";
import { Rotation, type Other, type RotationOptions, type RotationProgress } from "./rotation.ts";
import type { Admission } from "./schema.ts";
import { isIssuedBy, signer, signingCa, trustIn } from "./trust.ts";
import type { Liveness } from "./types.ts";

/** Where a member's state stands in its record (`Member.roleState`); no role has that name. */
export const rolloverStateKey = "ca";
const keyMethod = "ca-key";
const beginMethod = "ca-begin";
/** The other agent answers from its memory, or makes a CA. */
const askMs = 5_000;

/** A document is fetched with the look that finds it. Who is behind longer may be refused where it asks. */
const mostBehind = 3;

const keyAnswer = v.object({ key: v.pipe(v.string(), v.maxLength(4096)) });
const beginRequest = v.object({ agreed: v.pipe(v.string(), v.maxLength(64)) });

type Members = Pick<
  ClusterMembership,
  "admissions" | "contested" | "listing" | "anchor" | "renewCertificate" | "knock"
>;

export interface AuthorityRotationOptions extends RotationOptions {
  membership: RotationOptions["membership"] & Members;
  credentials: () => Credentials;
  /** Durable, and gone by, when it resolves. */
  save: (change: RolloverChange) => Promise<void>;
  /** Has this node's services go by what it holds; rejects where they do not. */
  services: () => Promise<void>;
  /** Before a rotation begins: throws where a member's services could not follow it. */
  requireAble: () => void;
}

/** What an operator is asked about before a rotation: who is to be trusted from then on. */
export interface RotationPlan {
  members: { name: string; address: string; witness: boolean; state: Liveness }[];
  /** Of exactly these. */
  agreed: string;
}

export interface AuthorityProgress extends RotationProgress {
  /** Null: there is no rotation under way. */
  stage: Rollover["stage"] | null;
  /** The present CA's last moment, ISO 8601. */
  ends: string;
}

/**
 * Puts another CA in the place of the cluster's, while it runs (rollover.ts tells the stages). The third stage waits for an
 * operator's word: it takes back what members that were away all the time, and clients, may still go by.
 */
export class AuthorityRotation {
  readonly #options: AuthorityRotationOptions;
  readonly #rotation: Rotation<Rollover, RolloverState>;
  /** The version for which this node has done its part. */
  #through: number | undefined;
  /** Looks in a row at which others had a later document. */
  #behind = 0;
  #opening: Promise<void> | undefined;

  constructor(options: AuthorityRotationOptions) {
    this.#options = options;
    const { credentials, membership } = options;
    membership.handle(keyMethod, (_, from, __, index) => Promise.resolve(this.#tellKey(from, index)));
    membership.handle(beginMethod, (params, from, _, index) => this.#asked(params, from, index));
    this.#rotation = new Rotation(
      {
        subject: "the rotation of the CA",
        code: "ca",
        key: rolloverStateKey,
        document: rollover,
        state: rolloverState,
        held: () => credentials().rollover,
        own: () => this.#own(),
        outdoes: (first, second) => first.version > second.version,
        isThrough: ({ through }) => through,
        take: (next, from) => this.#take(next, from),
        prepare: (others) => this.#prepare(others),
        goOn: () => this.#goOn(),
        isAble: () => signer(credentials()) !== undefined,
        isSettled: () => this.#isOver(),
        task: () => tasks[credentials().rollover?.stage ?? lastStage],
      },
      options,
    );
  }

  /** From here on services are asked: to be called when they can be. */
  start(): void {
    this.#rotation.start();
  }

  #isUnderWay(): boolean {
    const { rollover: at } = this.#options.credentials();
    return at !== undefined && at.stage < lastStage;
  }

  /** Who came back after all was over, and knows of nothing, is still waited for. */
  #isOver(): boolean {
    const isNone = this.#options.credentials().rollover === undefined;
    return isNone || (!this.#isUnderWay() && this.#rotation.late().length === 0);
  }

  #own(): RolloverState {
    const { rollover: at, ca } = this.#options.credentials();
    const version = versionOf(at);
    return { version, id: idOf(at, ca), through: version === 0 || this.#through === version };
  }

  /** This node's own part in the stage that it has. */
  async #prepare(others: readonly Other<RolloverState>[]): Promise<void> {
    const version = versionOf(this.#options.credentials().rollover);
    const isBehind = this.#holders(others).some(
      ({ view, state }) => view.state === "alive" && (state?.version ?? 0) > version,
    );
    this.#behind = isBehind ? this.#behind + 1 : 0;
    const mayBeLate = this.#isUnderWay() && (this.#isAlone(others) || this.#behind >= mostBehind);
    const [caughtUp] = await Promise.allSettled(mayBeLate ? [this.#catchUp()] : []);
    // Whoever says that it is further may be wrong, or lie.
    if (!this.#own().through) await this.#doPart(others);
    if (caughtUp?.status === "rejected") throw caughtUp.reason;
  }

  async #doPart(others: readonly Other<RolloverState>[]): Promise<void> {
    const { credentials, services } = this.#options;
    const version = versionOf(credentials().rollover);
    await this.#fetchKey(others);
    await this.#fetchCertificate();
    await services();
    if (versionOf(credentials().rollover) === version) this.#through = version;
  }

  #holders(others: readonly Other<RolloverState>[]): Other<RolloverState>[] {
    const { membership } = this.#options;
    return others.filter(({ view }) => !membership.isWitness(view.name));
  }

  /** Nobody who could go on with it is heard: they may have done so, and trust this node's certificate no more. */
  #isAlone(others: readonly Other<RolloverState>[]): boolean {
    const holders = this.#holders(others);
    return holders.length > 0 && holders.every(({ view }) => view.state !== "alive");
  }

  /**
   * A certificate of the CA that comes, and with it what became of the rotation meanwhile: by the key of the admission.
   * @throws ChimeError `ca.missed` where others are heard to be further, and no door of theirs shows a CA that this node knows
   */
  async #catchUp(): Promise<void> {
    const answer = await this.#options.membership.knock();
    const { rollover: at } = this.#options.credentials();
    if (!answer && this.#behind >= mostBehind) {
      throw failed(
        "ca.missed",
        "members that are further cannot be connected to: if this node was away while the CA was rotated more than once, it comes " +
          "back by chime-node reset and a new join alone",
      );
    }
    if (!answer?.rollover || !at) return;
    // By the CA of another rotation, which this node has to know of first.
    const isNextOnes = !isIssuedBy(answer.certificate, at.after);
    if (!isNextOnes) await this.#place(answer.certificate);
    if (versionOf(answer.rollover) > versionOf(at)) {
      await this.#rotation.take(answer.rollover, "the member at whose door it was asked");
    }
    if (isNextOnes) await this.#place(answer.certificate);
  }

  #isWitness(): boolean {
    const { membership } = this.#options;
    return membership.isWitness(membership.self.name);
  }

  /** Where this node came in during the rotation. */
  async #fetchKey(others: readonly Other<RolloverState>[]): Promise<void> {
    const { credentials, save } = this.#options;
    const { rollover: at, next } = credentials();
    const isMissing = this.#isUnderWay() ? next?.caKey === undefined : signer(credentials()) === undefined;
    if (!at || this.#isWitness() || !isMissing) return;
    await save({ next: { caKey: await this.#askForKey(at, others) } });
  }

  /** From any member that has it already. @throws ChimeError `ca.no_key` */
  async #askForKey({ after }: Rollover, others: readonly Other<RolloverState>[]): Promise<string> {
    const { membership } = this.#options;
    for (const { view } of others) {
      if (view.state !== "alive" || membership.isWitness(view.name)) continue;
      const answer = await membership.call(view.name, keyMethod, {}, askMs).catch(() => undefined);
      const parsed = v.safeParse(keyAnswer, answer);
      if (!parsed.success || publicKeyOf(parsed.output.key) !== caPublicKey(after)) continue;
      registerSecret(parsed.output.key);
      return parsed.output.key;
    }
    throw failed("ca.no_key", "no member that is there has the new CA's key yet");
  }

  /** The key is every member's that holds the CA, but for those that only its thief admitted: nobody knows them any more. */
  #tellKey(from: string, index: number): { key: string } {
    const { credentials } = this.#options;
    const { rollover: at, next, caKey, identity } = credentials();
    const key = this.#isUnderWay() ? next?.caKey : caKey;
    // Who asks has the key of this admission; a name may be more than one's.
    const asker = this.#present().find((one) => one.index === index);
    if (!asker || !admissionIsGenuine(trustIn(credentials()), identity.cluster.id, asker)) {
      throw refused("ca.not_listed", `${from} is not among those that the new CA goes by`);
    }
    if (asker.witness) throw refused("ca.witness", `${from} is a witness: the CA's key is not for it`);
    if (!at || key === undefined) throw refused("ca.no_key", "this node has no key of a CA that comes");
    return { key };
  }

  async #fetchCertificate(): Promise<void> {
    const { credentials, membership } = this.#options;
    const { rollover: at, next } = credentials();
    if (!at || at.stage === 1 || at.stage === lastStage || next?.certificate !== undefined) return;
    await this.#place(await membership.renewCertificate());
  }

  /** Only one of the CA that comes: what keeps the present one in its time is another matter (renewal.ts). */
  async #place(certificate: string): Promise<void> {
    const { credentials, save } = this.#options;
    const { rollover: at } = credentials();
    if (!at || !this.#isUnderWay()) return;
    if (!isIssuedBy(certificate, at.after)) {
      throw failed("ca.early", "who signs certificates does not do so by the new CA yet");
    }
    await save({ next: { certificate } });
  }

  /**
   * What this node says to hold is on its disk. With the document comes the new CA's key: were the one that made both lost
   * before another one had it, nobody could go on, nor back.
   * @throws ChimeError `ca.forged`, `ca.not_listed`, `ca.no_key`, `ca.no_certificate`
   */
  async #take(next: Rollover, from: string): Promise<void> {
    const { credentials, membership, save } = this.#options;
    const { identity, rollover: own, ca, next: held } = credentials();
    if (versionOf(next) <= versionOf(own)) return;
    if (!mayFollow(identity.cluster.id, { own, ca }, next)) {
      throw refused("ca.forged", `${from} offers a rotation of the CA that does not follow from this node's`);
    }
    const mine = membership.admissions().find(({ index }) => index === identity.self.index);
    const hash = mine && admissionHash(identity.cluster.id, mine);
    const isNew = own?.round !== next.round;
    const isMine = ([index, listed, left]: Rollover["members"][number]) =>
      index === identity.self.index && listed === hash && !left;
    if (isNew && !next.members.some(isMine)) {
      throw refused("ca.not_listed", `${identity.self.name} is not among those that the new CA goes by`);
    }
    const certificate = held?.certificate;
    if (next.stage > 2 && (certificate === undefined || !isIssuedBy(certificate, next.after))) {
      await this.#catchCertificate(next, own);
    }
    const key = isNew && !this.#isWitness() ? { next: { caKey: await this.#keyFor(next) } } : {};
    await save({ rollover: next, ...key });
    membership.anchor();
    log.info(`the rotation of the CA: version ${versionOf(next)}, ${words[next.stage]}`);
  }

  async #keyFor(next: Rollover): Promise<string> {
    const held = this.#options.credentials().next?.caKey;
    const isIts = held !== undefined && publicKeyOf(held) === caPublicKey(next.after);
    return isIts ? held : await this.#askForKey(next, this.#rotation.others());
  }

  /** Without one of the new CA this node would be refused from there on. */
  async #catchCertificate(next: Rollover, own: Rollover | undefined): Promise<void> {
    const { membership, save } = this.#options;
    const certificate = await membership.renewCertificate();
    if (own?.round !== next.round || !isIssuedBy(certificate, next.after)) {
      throw refused("ca.no_certificate", "this node has no certificate of the new CA yet");
    }
    await save({ next: { certificate } });
  }

  async #goOn(): Promise<void> {
    const { rollover: at } = this.#options.credentials();
    if (at?.stage === 1 || at?.stage === 3) await this.#advance(at);
  }

  async #advance(at: Rollover): Promise<void> {
    const { identity, next } = this.#options.credentials();
    if (next?.caKey === undefined) return;
    await this.#rotation.take(nextStage(identity.cluster.id, next.caKey, at), identity.self.name);
  }

  plan(): RotationPlan {
    const { self } = this.#options.membership;
    const states = new Map(this.#rotation.others().map(({ view }) => [view.index, view.state]));
    const members = this.#present().map(({ index, name, address, witness: isWitness }) => ({
      name,
      address,
      witness: isWitness,
      // Of two of a name one is known, and the other one is talked to by nobody.
      state: index === self.index ? "alive" : (states.get(index) ?? "dead"),
    }));
    return { members, agreed: this.#digest() };
  }

  /** Whom a rotation would leave admitted: all that have not left, also those that share a name. */
  #present(): Admission[] {
    return this.#options.membership.admissions().filter(({ left }) => !left);
  }

  #digest(): string {
    const { identity } = this.#options.credentials();
    const hashes = this.#present().map((admission) => admissionHash(identity.cluster.id, admission));
    return createHash("sha256").update(JSON.stringify(hashes)).digest("base64url");
  }

  /**
   * Begins a rotation, or does nothing where one is under way.
   * @param agreed of the members that the operator was shown
   * @throws ChimeError `ca.{witness,namesakes,old_member,away,unsettled,members_changed}` (exit 3, nothing touched)
   */
  async begin(agreed: string): Promise<void> {
    const { membership, credentials } = this.#options;
    if (this.#isUnderWay()) return;
    this.#requireReady();
    const others = this.#rotation.others();
    const first = this.#holders(others).sort((a, b) => a.view.index - b.view.index)[0];
    if (!first || first.view.index > credentials().identity.self.index) return await this.#beginHere(agreed);
    await membership.call(first.view.name, beginMethod, { agreed }, askMs);
  }

  async #asked(params: unknown, from: string, index: number): Promise<null> {
    if (this.#present().find((one) => one.index === index)?.witness !== false) throw witness(from);
    if (this.#isUnderWay()) return null;
    this.#requireReady();
    if (!this.#rotation.isFirst(this.#rotation.others())) {
      throw refused("ca.unsettled", "members do not agree who decides", again);
    }
    await this.#beginHere(v.parse(beginRequest, params).agreed);
    return null;
  }

  /** All that hold the CA are there: two sides of a cut would otherwise begin one each. */
  #requireReady(): void {
    const { credentials, membership } = this.#options;
    const { name } = credentials().identity.self;
    if (!signer(credentials())) throw witness(name);
    const contested = membership.contested();
    if (contested.length > 0) throw namesakes(contested);
    const others = this.#rotation.others();
    const away = this.#holders(others).filter(({ view }) => view.state !== "alive");
    if (away.length > 0) {
      const names = away.map(({ view }) => view.name).join(" and ");
      throw refused(
        "ca.away",
        `${names} holds the CA and is not there`,
        `bring it back, or if it is gone for good: chime-node remove ${away[0]?.view.name}`,
      );
    }
    this.#rotation.requireNewMembers();
    this.#options.requireAble();
    if (this.#rotation.late(others).length > 0 || !this.#own().through) {
      throw refused("ca.unsettled", "not all members are through with the rotation before", again);
    }
  }

  async #beginHere(agreed: string): Promise<void> {
    if (this.#digest() !== agreed) {
      throw refused("ca.members_changed", "the members are not those that were shown", again);
    }
    // Two operators at once: one CA.
    this.#opening ??= this.#open().finally(() => (this.#opening = undefined));
    await this.#opening;
  }

  #open(): Promise<void> {
    const { credentials, membership, save, clock } = this.#options;
    return membership.listing(async (admissions) => {
      const { identity, rollover: last } = credentials();
      const before = signer(credentials());
      if (!before || this.#isUnderWay()) return;
      const { cluster, self } = identity;
      const after = createAuthority(cluster, clock.wall());
      registerSecret(after.key);
      await save({ next: { caKey: after.key } });
      const begun = {
        round: (last?.round ?? 0) + 1,
        before: before.cert,
        after: after.cert,
        members: admissions.map((one): Rollover["members"][number] => [
          one.index,
          admissionHash(cluster.id, one),
          one.left,
        ]),
      };
      const first = beginRollover(cluster.id, { before: before.key, after: after.key }, begun);
      await this.#rotation.take(first, self.name);
    });
  }

  /**
   * The operator's word: nothing that the CA before signed is good from here on.
   * @throws ChimeError `ca.nothing_to_finish` (exit 2), `ca.witness`, `ca.not_ready` (exit 3, nothing touched)
   */
  async finish(): Promise<void> {
    const { rollover: at, identity } = this.#options.credentials();
    if (!at || !this.#isUnderWay()) {
      throw usageError("ca.nothing_to_finish", "no rotation of the CA is under way", "chime-node ca rotate");
    }
    if (at.stage > 2) return;
    if (!signer(this.#options.credentials())) throw witness(identity.self.name);
    const { awaiting } = this.progress();
    if (at.stage < 2 || awaiting !== null) {
      throw refused("ca.not_ready", `the new CA does not sign everywhere yet: ${awaiting ?? "going on"}`, {
        remedy: "chime-node ca rotate goes on waiting for it",
      });
    }
    await this.#advance(at);
  }

  progress(): AuthorityProgress {
    const { credentials } = this.#options;
    const { rollover: at } = credentials();
    const progress = this.#rotation.progress();
    const isWaiting = this.#rotation.late().length > 0 || !this.#own().through;
    const stage = this.#isUnderWay() && at ? at.stage : null;
    // The second stage waits for an operator alone.
    const awaiting = stage === 2 && !isWaiting ? null : progress.awaiting;
    return { ...progress, awaiting, stage, ends: new Date(this.ends).toISOString() };
  }

  /** The last moment of the CA that signs, ms since the epoch. */
  get ends(): number {
    return Date.parse(new X509Certificate(signingCa(this.#options.credentials())).validTo);
  }

  /** Whether this node is the one that goes on with it. */
  get isFirst(): boolean {
    return this.#rotation.isFirst(this.#rotation.others());
  }

  get underWayMs(): number {
    return this.#rotation.underWayMs;
  }

  stop(): void {
    this.#rotation.stop();
  }
}

const again = "chime-node ca rotate once more";

function witness(name: string): Error {
  return refused(
    "ca.witness",
    `${name} is a witness and does not hold the CA`,
    "run chime-node ca rotate on a member that is not a witness",
  );
}

function namesakes(contested: readonly Admission[]): Error {
  const each = contested.map(({ name, index, address }) => `${name}:${index} (${address})`).join(" and ");
  return refused(
    "ca.namesakes",
    `of ${each} one has the name or the address of another one, and may have been made up by who stole the CA's key`,
    "for each that is not yours: chime-node remove NAME:NUMBER, as written here",
  );
}

const words = {
  1: "both are trusted",
  2: "the new one signs",
  3: "the new one is shown to all",
  4: "the old one is dropped",
};
const tasks = {
  1: "to trust both CAs",
  2: "to have certificates of the new CA",
  3: "to show certificates of the new CA",
  4: "to drop the old CA",
};

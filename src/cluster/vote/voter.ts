import { randomBytes } from "node:crypto";
import * as v from "valibot";
import { failed, refused, type ChimeError } from "../../core/errors.ts";
import { log } from "../../core/log.ts";
import type { ClusterMembership } from "../membership.ts";
import type { RoleName } from "../types.ts";
import { judge } from "./judge.ts";
import type { Memory, MemoryFile } from "./memory.ts";
import { signedFields, termPurpose } from "./proof.ts";
import { electorate, isSameTerm, isTied, type Term } from "./term.ts";
import { wire, type Answer, type Method, type Params } from "./wire.ts";

/** An asker that lives answers its voter's challenge within milliseconds; less than what it waits for the votes. */
const challengeMs = 200;
const readMs = 1_000;

/** What a voter asks others by, and whom it believes what. */
export type VoterMembership = Pick<ClusterMembership, "self" | "call" | "isWitness" | "sign" | "isSignedBy">;

/**
 * One member's vote on who may write for one role, whatever roles the member has itself. On the role's own nodes
 * voter and guard share one memory.
 */
export class Voter {
  readonly #role: RoleName;
  readonly #membership: VoterMembership;
  readonly #file: MemoryFile;
  readonly #listeners = new Set<() => void>();
  /** Who told what its writer did not sign. */
  readonly #doubted = new Set<string>();
  #memory: Memory;
  #asking: Term | null = null;

  /** @param memory what the file holds */
  constructor(role: RoleName, membership: VoterMembership, file: MemoryFile, memory: Memory) {
    this.#role = role;
    this.#membership = membership;
    this.#file = file;
    this.#memory = memory;
    // By a version that signed none.
    if (memory.term) this.#memory = { ...memory, term: this.signed(memory.term) };
  }

  /** To be called while there is room on the disk: so that a vote can be recorded when there is none. */
  keepReserve(): void {
    this.#file.keepReserve();
  }

  get memory(): Memory {
    return this.#memory;
  }

  /** On disk before it returns, and before anything acts on it. */
  remember(change: Partial<Memory>): void {
    const next = { ...this.#outrunBy(change.term), ...change };
    if (next.term) next.term = this.signed(next.term);
    if (Bun.deepEquals(next, this.#memory)) return;
    this.#file.save(next);
    this.#memory = next;
    if (change.term) log.info(`${this.#role}: term ${describe(change.term)}`);
    for (const listener of this.#listeners) listener();
  }

  /** With its writer's signature, as far as this node has it. Of its own terms it takes nobody else's word for that. */
  signed(term: Term): Term {
    const { term: held } = this.#memory;
    if (held?.signature !== undefined && isSameTerm(held, term)) return held;
    const { name: self } = this.#membership.self;
    if (term.writer !== self) return term;
    const signature = this.#membership.sign(termPurpose, signedFields(this.#role, term));
    return { ...term, signature };
  }

  /**
   * Whether what another member says that it holds may be so. One that holds the CA could make up everything anyway; a
   * witness is believed what the term's writer signed. Nothing follows from what is not newer than what is known.
   */
  #isCredible(told: Term | null, from: string, known = this.#memory.term): boolean {
    const isNews = told !== null && told.term > (known?.term ?? 0);
    if (!isNews || isSameTerm(told, this.#asking) || !this.#membership.isWitness(from)) return true;
    const { signature, writer } = told;
    if (signature === undefined) return false;
    return this.#membership.isSignedBy(writer, termPurpose, signedFields(this.#role, told), signature);
  }

  #outrunBy(term: Term | null | undefined): Memory {
    const { term: last } = this.#memory;
    const { name: self } = this.#membership.self;
    if (term?.writer === self) return { ...this.#memory, outrun: null };
    if (!term || last?.writer !== self) return this.#memory;
    return { ...this.#memory, outrun: last.in_sync.length > 1 ? "protected" : "alone" };
  }

  /** Called after each change, also one that another member's question brought. Returns the unsubscriber. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Says, for the time of `work`, that this node asks for `term`: its voters' challenges are answered with it. */
  async whileAsking<T>(term: Term, work: () => Promise<T>): Promise<T> {
    this.#asking = term;
    try {
      return await work();
    } finally {
      this.#asking = null;
    }
  }

  /** Answers another member. @throws ChimeError `vote.bad_question` */
  async handle(method: string, params: unknown, from: string): Promise<Answer<Method>> {
    if (!Object.hasOwn(wire, method)) {
      throw failed("vote.bad_question", `voters answer no question ${method.slice(0, 40)}`);
    }
    const known = method as Method;
    const parsed = v.safeParse(wire[known].params, params);
    if (!parsed.success) throw failed("vote.bad_question", `the question ${known} does not fit its schema`);
    if (known === "ask") return this.#judge((parsed.output as Params<"ask">).term, from);
    if (known === "copy") {
      await this.copy((parsed.output as Params<"copy">).from);
      return { held: this.#memory.term };
    }
    if (known === "tell") this.#hear((parsed.output as Params<"tell">).term, from);
    const held = this.#memory.term;
    if (known === "read" || known === "tell") return { held };
    return { nonce: (parsed.output as Params<"challenge">).nonce, asking: this.#asking, held };
  }

  async #judge(asked: Term, from: string): Promise<Answer<"ask">> {
    const nonce = randomBytes(16).toString("hex");
    const echo = await this.call(from, "challenge", { nonce }, challengeMs);
    if (echo.nonce !== nonce || !isSameTerm(echo.asking, asked)) {
      return this.#no(`${from} does not ask for that any more`);
    }
    // A voter that has lost its memory may have granted this term to another: only all the others together know.
    if (this.#memory.term === null && echo.held !== null) await this.copy(echo.held.voters);
    // One that has a memory and was away takes over what it missed: nobody holds a newer record wrongly.
    else if (echo.held !== null && echo.held.term > (this.#memory.term?.term ?? 0)) {
      this.remember({ term: echo.held });
    }
    // No await from here on: nothing may come between the judgement and the disk.
    const reason = judge(this.#memory.term, asked, from, this.#membership.self.name);
    if (reason !== null) return this.#no(reason);
    const before = this.#memory.term;
    this.remember({ term: asked });
    if (before !== null) this.#tell(before.writer, asked);
    return { granted: true, reason: "", held: asked };
  }

  /** It learns at once that it has to let go of the VIP, also where the new writer cannot reach it. */
  #tell(outrun: string, term: Term): void {
    if (outrun === term.writer || outrun === this.#membership.self.name) return;
    this.call(outrun, "tell", { term }, readMs).catch(() => undefined);
  }

  /** @throws ChimeError `vote.unproven` */
  #hear(term: Term, from: string): void {
    this.#check(term, from);
    const isNewer = term.term > (this.#memory.term?.term ?? 0);
    if (isNewer && electorate(term).includes(from)) this.remember({ term });
  }

  #no(reason: string): Answer<"ask"> {
    return { granted: false, reason, held: this.#memory.term };
  }

  /** Takes over the newest record of these members, all of which must answer. @throws as `call` does */
  async copy(names: readonly string[]): Promise<void> {
    const others = names.filter((name) => name !== this.#membership.self.name);
    const answers = await Promise.all(
      others.map(async (name) => ({ name, held: (await this.#ask(name, "read", {}, readMs)).held })),
    );
    const newest = answers
      .filter(({ name, held }) => this.#isCredible(held, name))
      .reduce((best, { held }) => ((held?.term ?? 0) > (best?.term ?? 0) ? held : best), this.#memory.term);
    // What one tells without a signature another one may have shown to be so. Where not, nothing is taken over.
    for (const { name, held } of answers) this.#check(held, name, newest);
    if (newest !== null && newest.term > (this.#memory.term?.term ?? 0)) this.remember({ term: newest });
  }

  /** @throws ChimeError of the peer, or `peer.unreachable`, `peer.timeout`, `vote.bad_answer`, `vote.unproven` */
  async call<M extends Method>(
    peer: string,
    method: M,
    params: Params<M>,
    timeoutMs: number,
  ): Promise<Answer<M>> {
    const answer = await this.#ask(peer, method, params, timeoutMs);
    this.#check(answer.held, peer);
    return answer;
  }

  /** The same, and its answer may be a lie. */
  async #ask<M extends Method>(
    peer: string,
    method: M,
    params: Params<M>,
    timeoutMs: number,
  ): Promise<Answer<M>> {
    const answer = await this.#membership.call(peer, `vote.${this.#role}.${method}`, params, timeoutMs);
    const parsed = v.safeParse(wire[method].answer, answer);
    if (!parsed.success) throw failed("vote.bad_answer", `${peer} answered ${method} with something else`);
    return parsed.output;
  }

  /** @throws ChimeError `vote.unproven` */
  #check(told: Term | null, from: string, known = this.#memory.term): void {
    if (told === null || this.#isCredible(told, from, known)) return;
    const error = unproven(told, from);
    // Once, or it could fill the journal.
    if (!this.#doubted.has(from)) log.warn(`${this.#role}:`, error);
    this.#doubted.add(from);
    throw error;
  }
}

function unproven({ term, writer }: Term, from: string): ChimeError {
  return refused("vote.unproven", `${from} tells of term ${term}, which ${writer} did not sign`, {
    remedy: `an older version than ours signs none: bring all members to one; otherwise ${from} lies: chime-node remove ${from}`,
  });
}

function describe(term: Term): string {
  const { writer, in_sync, voters, old_voters, tie } = term;
  const before = old_voters.length > 0 ? ` (until now ${old_voters.join(", ")})` : "";
  const alone = isTied(term) ? `, a tie goes to: ${tie}` : "";
  return `${term.term}: ${writer} writes, in sync: ${in_sync.join(", ")}, voters: ${voters.join(", ")}${before}${alone}`;
}

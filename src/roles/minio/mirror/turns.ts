import * as v from "valibot";
import type { GuardDeps } from "../../guard.ts";
import { giveVipUp } from "../../own-server.ts";
import { Turn, turnMethod, turnSchema, type TurnAnswer, type TurnAsked } from "../../turn.ts";
import type { RestartTurn } from "../guard/held-restart.ts";
import { roleName } from "../layout.ts";
import { lacking, type Other } from "./other.ts";

/** Another agent's answer. */
const askMs = 5_000;

/**
 * A server that is restarted answers within seconds. One that has not for so long, ms, may be out for good, and then the other one
 * is not kept from what it has to be restarted for.
 */
const outMs = 60_000;

/** This node's server at this moment. */
export interface OwnServer {
  /** For how long it has not answered, ms; 0: it does. */
  silentMs(): number;
  /** What it has is known not to count: nobody relies on it. */
  isIdle(): boolean;
  /** Why clients cannot be left to it alone; undefined: they can. */
  whyNotAlone(): string | undefined;
}

/** Sees to it that of two stores that copy to each other one at a time is restarted on purpose, whatever for. */
export class MirrorTurns implements RestartTurn {
  readonly #deps: GuardDeps;
  readonly #other: () => Other | undefined;
  readonly #own: OwnServer;
  readonly #signal: AbortSignal;
  readonly #turn: Turn;
  /** Who has clients while it takes its turn has them wait. */
  #clientsStay = false;

  constructor(deps: GuardDeps, other: () => Other | undefined, own: OwnServer, signal: AbortSignal) {
    this.#deps = deps;
    this.#other = other;
    this.#own = own;
    this.#signal = signal;
    this.#turn = new Turn(deps.clock, () => this.#begun());
  }

  /** This node's server is to be restarted at any moment: no clients are to come here. */
  get isAway(): boolean {
    return this.#turn.isMine && !this.#clientsStay;
  }

  /** The other node asks. */
  answer(asked: unknown): TurnAnswer {
    const { urgent } = v.parse(turnSchema, asked);
    return this.#turn.answer(
      this.#other()?.isFirst === false,
      urgent ? this.#whyNotBeside() : this.#own.whyNotAlone(),
    );
  }

  /** For a restart that its clients are left to the other one for. @returns what it waits for; undefined: it may be */
  async takeAndLeave(): Promise<string | undefined> {
    const other = this.#other();
    // Nobody else could be relied on, or nobody relies on it.
    if (!other?.isSetUp || this.#own.isIdle()) return undefined;
    const { name } = other.member;
    const isNowhere = this.#deps.hasVip() && !this.#deps.heirs().includes(name);
    const lacks = lacking(other) ?? (isNowhere ? " to be able to take the VIP" : undefined);
    const why = await this.#turn.take(name, lacks, (asked) => this.#ask(name, asked));
    if (why !== undefined) return why;
    this.#clientsStay = false;
    await giveVipUp(this.#deps, this.#signal);
    return this.#deps.hasVip() ? `waiting for the VIP to go to ${name}` : undefined;
  }

  /** For a restart that its clients, if it has any, wait for: only not beside the other one. @returns the same */
  async take(): Promise<string | undefined> {
    const other = this.#other();
    if (!other?.isSetUp) return undefined;
    const { name } = other.member;
    // The agent of one that is given up may be there all the same.
    if (!other.alive) return this.#turn.takeUrgently(name, (asked) => this.#ask(name, asked));
    return this.#turn.take(name, undefined, () => this.#ask(name, { urgent: true }));
  }

  end(): void {
    this.#turn.end();
  }

  /** The VIP may have come or left while the other one was asked. From now on it does neither by itself. */
  #begun(): void {
    this.#clientsStay = this.#deps.hasVip();
    if (!this.#clientsStay) this.#deps.setEligible(false);
  }

  #whyNotBeside(): string | undefined {
    const silentMs = this.#own.silentMs();
    return silentMs === 0 || silentMs >= outMs ? undefined : "its own server does not answer";
  }

  #ask(name: string, asked: TurnAsked): Promise<unknown> {
    return this.#deps.membership.call(name, `guard.${roleName}.${turnMethod}`, asked, askMs);
  }
}

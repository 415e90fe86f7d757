import type { Clock } from "../../core/clock.ts";
import { log } from "../../core/log.ts";
import type { Membership, MemberView } from "../types.ts";
import { GatewayWatch, type AskGateway } from "./gateway.ts";
import { Standing, type GatewayVote, type Out } from "./standing.ts";
import { isTied, type Term } from "./term.ts";
import type { Voter } from "./voter.ts";

/** Before a voter that did not answer is asked again. */
const againMs = 100;

export interface TieOptions {
  clock: Clock;
  membership: Pick<Membership, "self" | "pause">;
  voter: Voter;
  askGateway: AskGateway;
  /** Something that a decision may rest on has changed. */
  changed: () => void;
}

/** What this node's gateway is worth as a vote. */
export interface Gateway {
  /** It answers; null: not known yet, or not asked. */
  answers: boolean | null;
  vote: GatewayVote;
  /** Why its vote would not count, and since when; null: it would. */
  out: { at: string; since: string } | null;
}

const none: Gateway = { answers: null, vote: "none", out: null };

type Node = Pick<MemberView, "name" | "state" | "silentMs">;

/** What a node knows of its own standing, for the moment when it and one silent voter are all there are. */
export class Tie {
  readonly #options: TieOptions;
  readonly #standing: Standing;
  #told: { out: Out; at: string } | undefined;
  readonly #watch: GatewayWatch;
  readonly #heard = new Set<string>();
  readonly #speaking = new Set<string>();

  constructor(options: TieOptions) {
    this.#options = options;
    this.#standing = new Standing(options.clock.now());
    this.#watch = new GatewayWatch(options.clock, options.askGateway, this.#standing, options.changed);
  }

  /** Who has answered this node since its agent started: what they did before is known. */
  get heard(): readonly string[] {
    return [...this.#heard];
  }

  /**
   * To be called whenever a liveness changed, and before each decision. The gateway is asked only by two alone.
   * @param nodes the role's nodes
   */
  look(nodes: readonly Node[]): Gateway {
    const { membership, voter } = this.#options;
    const { term } = voter.memory;
    const others = nodes.filter(({ name }) => name !== membership.self.name);
    const other = term && isTied(term) ? others.find(({ name }) => term.voters.includes(name)) : undefined;
    const gateway = term && other ? this.#judge(term, other) : none;
    if (!other) this.#watch.watch("off");
    // Only now: a break that was just found is asked about at once, and not at the next look.
    for (const { name, state } of others) {
      const isNew = !this.#heard.has(name) || (name === other?.name && gateway.out !== null);
      if (state === "alive" && isNew) void this.#speak(name, name === other?.name);
    }
    return gateway;
  }

  #judge(term: Term, other: Node): Gateway {
    const { clock, membership } = this.#options;
    const now = clock.now();
    const isSilent = other.state !== "alive";
    const sight = { now, heardAt: now - other.silentMs, isSilent, pause: membership.pause() };
    const vote = this.#standing.look(sight);
    const counts =
      term.tie === "gateway" ? this.#standing.out === null : term.writer !== membership.self.name;
    const isAwaited = isSilent && counts && term.in_sync.includes(other.name);
    this.#watch.watch(isAwaited ? "closely" : "slow");
    return { answers: this.#standing.answers(now), vote, out: this.#out(now) };
  }

  /** By the time of day, which is read once: it would creep. */
  #out(now: number): Gateway["out"] {
    const { out } = this.#standing;
    if (!out) return null;
    if (this.#told?.out !== out) {
      const at = new Date(this.#options.clock.wall() - (now - out.from));
      this.#told = { out, at: at.toISOString().replace(/\.\d+/, "") };
    }
    return { at: this.#told.at, since: out.since };
  }

  stop(): void {
    this.#watch.watch("off");
  }

  async #speak(name: string, isOther: boolean): Promise<void> {
    if (this.#speaking.has(name)) return;
    this.#speaking.add(name);
    const { clock, voter, changed } = this.#options;
    const asked = clock.now();
    try {
      await voter.copy([name]);
      this.#heard.add(name);
      if (isOther) this.#standing.spoke(asked);
    } catch (error) {
      log.debug(`${name} did not say which term it knows:`, error);
      await clock.sleep(againMs);
    } finally {
      this.#speaking.delete(name);
      changed();
    }
  }
}

import * as v from "valibot";
import type { MemberView, Membership } from "../cluster/types.ts";
import type { Clock } from "../core/clock.ts";
import type { whoHas } from "../host/arp.ts";
import type { Facts } from "../host/facts.ts";
import { vipInterface } from "../vip/instances.ts";
import { type HeardBy, heardSchema, type Listening } from "../vip/listening.ts";

/** By then most have typed the join; who comes later listens for as long as it takes. */
const longestMs = 5 * 60_000;
/** Whoever asks listens meanwhile. */
const answerMs = 1_000;
/** Others that are asked: one that has listened is enough. */
const most = 4;

const askedSchema = v.object({ ms: v.number() });
/** `hardware`: the address by which the one that answers is in the network it listens to. */
const answerSchema = v.nullable(v.object({ ...heardSchema.entries, hardware: v.string() }));
type Answer = v.InferOutput<typeof answerSchema>;

interface RoutersHeardDeps {
  clock: Pick<Clock, "now">;
  membership: Pick<Membership, "self" | "members" | "call">;
  interfaces: Facts["interfaces"];
  /** Whether a role with a VIP may be taken here, and none is yet. */
  awaitsVip: () => boolean;
  open: () => Listening;
  whoHas: typeof whoHas;
  hardwareOf: (interfaceName: string) => string | undefined;
}

/**
 * An agent whose node may get its first VIP listens for other VRRP routers from its start on: the time counts for the joins
 * that take a role, which may install nothing before it was listened. An id is in use in a network, so it counts on
 * another node, too, where that network is shown to be the same: by who answers ARP there.
 */
export class RoutersHeard {
  readonly #deps: RoutersHeardDeps;
  readonly #end: number;
  #listening: Listening | undefined;

  constructor(deps: RoutersHeardDeps) {
    this.#deps = deps;
    this.#end = deps.clock.now() + longestMs;
    if (deps.awaitsVip()) this.#listening = deps.open();
  }

  /** To be called now and then: ends it where nobody will ask any more. */
  settle(): void {
    const { clock, awaitsVip } = this.#deps;
    if (this.#listening && (clock.now() >= this.#end || !awaitsVip())) this.close();
  }

  /** What was heard in the last `ms`: here, or where this agent does not listen by others. */
  async heard(ms: number): Promise<HeardBy> {
    return this.#listening?.heard(ms) ?? (await this.#byOthers(ms));
  }

  /** What `init` heard, which listened before this agent was there. */
  add(heard: HeardBy): void {
    this.#listening?.add(heard);
  }

  /** What another node asks: what is heard in the network by which members reach this one; null where nobody listens. */
  answer(params: unknown): Answer {
    const { ms } = v.parse(askedSchema, params);
    const carrier = this.#carrier(this.#deps.membership.self.address);
    const hardware = carrier === undefined ? undefined : this.#deps.hardwareOf(carrier);
    const heard = this.#listening?.heard(ms)[carrier ?? ""];
    return heard && hardware !== undefined ? { ...heard, hardware } : null;
  }

  close(): void {
    this.#listening?.close();
    this.#listening = undefined;
  }

  #carrier(address: string): string | undefined {
    return vipInterface(this.#deps, address, "auto");
  }

  async #byOthers(ms: number): Promise<HeardBy> {
    const { membership } = this.#deps;
    const near = membership.members().flatMap((member) => {
      const carrier = this.#carrier(member.address);
      return member.left || member.name === membership.self.name || carrier === undefined
        ? []
        : [{ member, carrier }];
    });
    const told = await Promise.all(
      near.slice(0, most).map(async ({ member, carrier }) => {
        // An older agent does not know the question.
        const answer = await this.#ask(member, carrier, ms).catch(() => null);
        return answer ? [{ carrier, answer }] : [];
      }),
    );
    const byCarrier = Map.groupBy(told.flat(), ({ carrier }) => carrier);
    return Object.fromEntries(
      [...byCarrier].map(([carrier, all]) => [
        carrier,
        {
          ms: Math.min(ms, Math.max(...all.map(({ answer }) => answer.ms))),
          routers: all.flatMap(({ answer }) => answer.routers),
        },
      ]),
    );
  }

  /** What a member heard in the network of this interface: null where it is not seen there, itself and now. */
  async #ask({ name, address }: MemberView, carrier: string, ms: number): Promise<Answer> {
    const { membership, whoHas } = this.#deps;
    const [said, there] = await Promise.all([
      membership.call(name, "routers.heard", { ms }, answerMs),
      whoHas([address], carrier, { timeoutMs: answerMs }),
    ]);
    const answer = v.parse(answerSchema, said);
    return answer?.hardware === there.get(address) ? answer : null;
  }
}

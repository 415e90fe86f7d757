import * as v from "valibot";
import type { MemberView, Membership } from "../cluster/types.ts";
import type { Clock } from "../core/clock.ts";
import type { Facts } from "../host/facts.ts";
import { vipInterface } from "../vip/instances.ts";
import { type HeardBy, heardSchema, type Listening } from "../vip/listening.ts";

/** By then most have typed the first joins; whoever comes later listens for as long as it takes. */
const longestMs = 60_000;
/** Whoever asks listens meanwhile. */
const answerMs = 1_000;
/** Others that are asked: one that has listened is enough. */
const most = 4;

const askedSchema = v.object({ ms: v.number() });
const answerSchema = v.nullable(heardSchema);

interface RoutersHeardDeps {
  clock: Pick<Clock, "now">;
  membership: Pick<Membership, "self" | "members" | "call">;
  interfaces: Facts["interfaces"];
  /** Undefined where the node has a VIP already. */
  open: () => Listening | undefined;
}

/**
 * An agent whose node has no VIP yet listens for other VRRP routers from its start on: the time counts for the joins that
 * take a role, here and on others in the same network, which may install nothing before it was listened.
 */
export class RoutersHeard {
  readonly #deps: RoutersHeardDeps;
  readonly #end: number;
  #listening: Listening | undefined;

  constructor(deps: RoutersHeardDeps) {
    this.#deps = deps;
    this.#end = deps.clock.now() + longestMs;
    this.#listening = deps.open();
  }

  /** To be called now and then: ends it where its time is over. */
  settle(): void {
    if (this.#deps.clock.now() >= this.#end) this.close();
  }

  /** What was heard in the last `ms`: here, or where this agent does not listen by others. */
  async heard(ms: number): Promise<HeardBy> {
    return this.#listening?.heard(ms) ?? (await this.#byOthers(ms));
  }

  /** What `init` heard, which listened before this agent was there. */
  add(heard: HeardBy): void {
    this.#listening?.add(heard);
  }

  /** What another node asks: what is heard in the network by which the members reach this one, null where nobody listens. */
  answer(params: unknown): v.InferOutput<typeof answerSchema> {
    const { ms } = v.parse(askedSchema, params);
    const carrier = this.#carrier(this.#deps.membership.self.address);
    return this.#listening?.heard(ms)[carrier ?? ""] ?? null;
  }

  /** Another one's adverts come here as well where its address is in a network of this node's. */
  #carrier(address: string): string | undefined {
    return vipInterface(this.#deps, address, "auto");
  }

  async #byOthers(ms: number): Promise<HeardBy> {
    const { membership } = this.#deps;
    const isNear = ({ name, address, left }: MemberView) =>
      !left && name !== membership.self.name && this.#carrier(address) !== undefined;
    const near = membership.members().filter(isNear).slice(0, most);
    const told = await Promise.all(
      near.map(async ({ name, address }) => {
        const answer = membership.call(name, "routers.heard", { ms }, answerMs);
        // An older agent does not know the question.
        const heard = await answer.then((said) => v.parse(answerSchema, said)).catch(() => null);
        return heard ? [{ carrier: this.#carrier(address) ?? "", heard }] : [];
      }),
    );
    const byCarrier = Map.groupBy(told.flat(), ({ carrier }) => carrier);
    return Object.fromEntries(
      [...byCarrier].map(([carrier, all]) => [
        carrier,
        {
          ms: Math.min(ms, Math.max(...all.map(({ heard }) => heard.ms))),
          routers: all.flatMap(({ heard }) => heard.routers),
        },
      ]),
    );
  }

  close(): void {
    this.#listening?.close();
    this.#listening = undefined;
  }
}

import * as v from "valibot";
import type { Membership, MemberView, RoleName } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import { connectionsTo, type Connection } from "../host/tcp.ts";
import { tickle } from "../host/tickle.ts";
import type { RoleContext } from "../roles/types.ts";
import { rolesHere } from "./backends.ts";

/** A VIP, and who may hold it next. */
export interface SharedVip {
  role: RoleName;
  address: string;
  others: readonly Pick<MemberView, "name" | "incarnation">[];
}

/** The VIPs of what is balanced on this node. */
export function sharedVips(context: RoleContext, members: readonly MemberView[]): SharedVip[] {
  return rolesHere(context).flatMap((role) => {
    const vip = role.vip(context);
    if (!vip || (role.balanced?.(context) ?? []).length === 0) return [];
    const others = members.filter(
      ({ name, state }) =>
        name !== context.self.name && state === "alive" && vip.nodes.some((node) => node.name === name),
    );
    return [{ role: role.name, address: vip.address.split("/")[0] ?? "", others }];
  });
}

/** Of more clients the rest finds out by itself: 30 KB a second to each of the others are enough. */
const most = 1_000;
const answerMs = 1_000;
/** After this node has got the VIP: the neighbours may not know yet that it is here. */
const tickles = [50, 300, 1_000];

const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const toldSchema = v.object({
  role: v.pipe(v.string(), v.maxLength(32)),
  /** Port of the VIP, the client's address and port. */
  clients: v.pipe(v.array(v.tuple([port, v.pipe(v.string(), v.ipv4()), port])), v.maxLength(most)),
});
type Told = v.InferOutput<typeof toldSchema>;

/**
 * Who is connected to a VIP, kept by those who may hold it next: the holder tells them each second. Whoever takes the VIP
 * over tells the clients of the one before that their connections are gone, which they would find out by themselves only
 * where they have something to send.
 */
export class Clients {
  readonly #membership: Pick<Membership, "call">;
  readonly #known = new Map<RoleName, Told["clients"]>();
  readonly #told = new Map<RoleName, string>();

  constructor(membership: Pick<Membership, "call">) {
    this.#membership = membership;
  }

  /** By the holder, each second. */
  async share({ role, address, others }: SharedVip): Promise<void> {
    const clients = (await connectionsTo(address, most)).map(
      ({ local, remote }) => [local.port, remote.address, remote.port] as const,
    );
    // An agent that was started anew has heard nothing yet.
    const text = JSON.stringify([clients, others.map(({ name, incarnation }) => [name, incarnation])]);
    if (this.#told.get(role) === text) return;
    const calls = others.map(({ name }) =>
      this.#membership.call(name, "vip.clients", { role, clients }, answerMs),
    );
    // Who does not hear it now does so a second later.
    if ((await Promise.allSettled(calls)).every(({ status }) => status === "fulfilled")) {
      this.#told.set(role, text);
    }
  }

  /** Another member holds the VIP and says who is connected to it. @throws ValiError */
  heard(params: unknown): void {
    const { role, clients } = v.parse(toldSchema, params);
    this.#known.set(role, clients);
    this.#told.delete(role);
  }

  /** This node has got the VIP. */
  async takeOver(
    { role, address }: SharedVip,
    isHere: () => boolean,
    send: (connections: readonly Connection[]) => void = tickle,
    sleep: (ms: number) => Promise<void> = Bun.sleep,
  ): Promise<void> {
    const clients = this.#known.get(role) ?? [];
    this.#known.delete(role);
    if (clients.length === 0) return;
    log.info(`VIP ${role}: ${clients.length} connections of the holder before are ended`);
    const connections = clients.map(([local, remote, from]) => ({
      local: { address, port: local },
      remote: { address: remote, port: from },
    }));
    for (const [i, at] of tickles.entries()) {
      await sleep(at - (tickles[i - 1] ?? 0));
      if (!isHere()) return;
      send(connections);
    }
  }
}

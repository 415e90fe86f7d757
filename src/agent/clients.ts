import * as v from "valibot";
import type { Membership, MemberView, RoleName } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import { mostNewcomers, openNewcomers, type Newcomers } from "../host/newcomers.ts";
import { connectionsTo, type Connection } from "../host/tcp.ts";
import { tickle } from "../host/tickle.ts";
import type { RoleContext } from "../roles/types.ts";
import { rolesHere } from "./backends.ts";
import { requirePart } from "./part.ts";

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
/** How often it is looked who has come, ms: while somebody does, and a second after the last one did. */
const lookMs = { busy: 10, quiet: 100 };
const busyLooks = 100;
/** Until then whoever goes on is in the list of all, ms. */
const newMs = 3_000;
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
 * Who is connected to a VIP, kept by those who may hold it next: the holder tells them each second, and who connects at once,
 * for many a client has a connection of its own for each request. Whoever takes the VIP over tells the clients of the one
 * before that their connections are gone, which they would find out by themselves only where they have something to send.
 */
export class Clients {
  readonly #membership: Pick<Membership, "call" | "members">;
  readonly #known = new Map<RoleName, Told["clients"]>();
  readonly #told = new Map<RoleName, string>();
  /** Who came since, and when that was heard. */
  readonly #new = new Map<RoleName, { at: number; clients: Told["clients"] }[]>();
  /** Whose newcomers are looked for. */
  readonly #watched = new Map<RoleName, SharedVip>();

  constructor(membership: Pick<Membership, "call" | "members">) {
    this.#membership = membership;
  }

  /** By the holder, each second. */
  async share({ role, address, others }: SharedVip): Promise<void> {
    const clients = (await connectionsTo(address, most)).map(clientOf);
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

  /** Another member holds the VIP and says who is connected to it. @throws ValiError, ChimeError `peer.stranger` */
  heard(params: unknown, from: string): void {
    const { role, clients } = v.parse(toldSchema, params);
    requirePart(this.#membership, from, role);
    this.#known.set(role, clients);
    this.#told.delete(role);
  }

  /**
   * By the holder, as long as it is. Asked again, it goes on with the members of now.
   * @throws ChimeError `net.raw_socket`
   */
  async watch(
    vip: SharedVip,
    isHere: () => boolean,
    open: (address: string) => Newcomers = openNewcomers,
    sleep: (ms: number) => Promise<unknown> = Bun.sleep,
  ): Promise<void> {
    const { role, address } = vip;
    const isWatched = this.#watched.has(role);
    this.#watched.set(role, vip);
    if (isWatched) return;
    let newcomers: Newcomers | undefined;
    try {
      newcomers = open(address);
      const waiting = new Map<string, Told["clients"]>();
      const asked = new Set<string>();
      let quiet = busyLooks;
      for (let here = true; here;) {
        // Who came between the last look and the end of it is on the old holder all the same.
        here = isHere();
        const clients = newcomers.read().map(clientOf);
        quiet = clients.length > 0 ? 0 : quiet + 1;
        for (const { name } of this.#watched.get(role)?.others ?? []) {
          const queue = [...(waiting.get(name) ?? []), ...clients].slice(-most);
          waiting.set(name, queue);
          // One that does not answer holds up nobody else.
          if (queue.length === 0 || (here && asked.has(name))) continue;
          waiting.delete(name);
          asked.add(name);
          void this.#membership
            .call(name, "vip.newcomers", { role, clients: queue }, answerMs)
            .catch(() => undefined)
            .finally(() => asked.delete(name));
        }
        // A flood is not kept up with.
        const isBusy = quiet < busyLooks && clients.length < mostNewcomers;
        if (here) await sleep(isBusy ? lookMs.busy : lookMs.quiet);
      }
    } finally {
      this.#watched.delete(role);
      newcomers?.close();
    }
  }

  /** Another member holds the VIP and says who has connected to it just now. @throws ValiError, ChimeError `peer.stranger` */
  heardOf(params: unknown, from: string, now: number = performance.now()): void {
    const { role, clients } = v.parse(toldSchema, params);
    requirePart(this.#membership, from, role);
    const recent = (this.#new.get(role) ?? []).filter(({ at }) => now - at < newMs);
    this.#new.set(role, [...recent, { at: now, clients }]);
  }

  /** This node has got the VIP. */
  async takeOver(
    { role, address }: SharedVip,
    isHere: () => boolean,
    send: (connections: readonly Connection[]) => void = tickle,
    sleep: (ms: number) => Promise<void> = Bun.sleep,
  ): Promise<void> {
    const known = this.#known.get(role) ?? [];
    this.#known.delete(role);
    const newest: Told["clients"] = [];
    let told = 0;
    for (const [i, at] of tickles.entries()) {
      await sleep(at - (tickles[i - 1] ?? 0));
      if (!isHere()) return;
      // Of those who came last it may be heard when the VIP is here already.
      newest.push(...(this.#new.get(role) ?? []).flatMap(({ clients }) => clients));
      this.#new.delete(role);
      const clients = [...known, ...newest.slice(-most)];
      if (clients.length > told)
        log.info(`VIP ${role}: ${clients.length} connections of the holder before are ended`);
      told = clients.length;
      if (told > 0) send(clients.map((client) => connectionOf(address, client)));
    }
  }
}

function connectionOf(address: string, [local, remote, from]: Told["clients"][number]): Connection {
  return { local: { address, port: local }, remote: { address: remote, port: from } };
}

function clientOf({ local, remote }: Connection): Told["clients"][number] {
  return [local.port, remote.address, remote.port];
}

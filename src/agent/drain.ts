import { systemClock } from "../core/clock.ts";
import { log } from "../core/log.ts";
import { until } from "../core/until.ts";
import { listenDeaf } from "../host/deaf-listener.ts";
import { connectionsTo } from "../host/tcp.ts";
import type { RoleContext } from "../roles/types.ts";
import { rolesHere } from "./backends.ts";
import type { RunningBalancer } from "../vip/balancer/types.ts";
import type { Vips } from "./vips.ts";

/** What is needed of one VIP that is held here. */
export interface HeldVip {
  role: string;
  address: string;
  ports: readonly number[];
  isHere(): boolean;
  /** Closes this node's way to it. */
  leave(): void;
}

/** Those of what is balanced on this node. */
export function heldVips(context: RoleContext, vips: Pick<Vips, "isHere" | "setEligible">): HeldVip[] {
  return rolesHere(context).flatMap((role) => {
    const { name } = role;
    const services = role.balanced?.(context) ?? [];
    return [...new Set(services.map(({ address }) => address))].map((address) => ({
      role: name,
      address,
      ports: services.filter((service) => service.address === address).map(({ port }) => port),
      isHere: () => vips.isHere(name),
      leave: () => vips.setEligible(name, false),
    }));
  });
}

/** A client that is not let in asks again after 1 s, then after 3: what takes longer is cut off, and its client tries again. */
const longestMs = 2_500;
const movesMs = 1_000;
const everyMs = 10;

/**
 * Before the balancer stops, or the VIP is given up: nobody new is let in, what is under way is ended, and the VIP leaves when nothing is any more.
 * So no request is lost; who came meanwhile asks the next holder. What is still under way then can never be answered: a
 * balancer that waited for it would be none for as long.
 * @param find the balancer that runs
 * @param busy whether anybody is connected to what is balanced there
 */
export async function drain(
  vips: readonly HeldVip[],
  find: () => Promise<RunningBalancer>,
  busy: (vip: Pick<HeldVip, "address" | "ports">) => Promise<boolean>,
): Promise<void> {
  const held = vips.filter((vip) => vip.isHere());
  if (held.length === 0) return;
  // Known before: beside one that still takes what comes, half of it would come to those who hear nothing.
  const balancer = await find();
  const doors = held.flatMap(({ address, ports }) => ports.flatMap((port) => door(address, port)));
  try {
    balancer.stopTaking();
    await Promise.all(
      held.map(async (vip) => {
        const ended = await until(
          systemClock,
          { limitMs: longestMs, everyMs },
          async () => !(await busy(vip)),
        );
        vip.leave();
        const left = await until(systemClock, { limitMs: movesMs, everyMs }, () => !vip.isHere());
        const how = ended ? "" : `, with requests under way that took longer than ${longestMs / 1_000} s`;
        log.info(`VIP ${vip.role}: ${left ? "given up" : "nobody takes it"} before the balancer stops${how}`);
      }),
    );
    await balancer.end();
  } finally {
    for (const door of doors) door.close();
  }
}

/** One at a time: a balancer that is told to stop is one for all that is balanced here, and ends by itself then. */
export class Drain {
  readonly #held: () => readonly HeldVip[];
  readonly #run: (held: readonly HeldVip[]) => Promise<void>;
  #underWay: Promise<void> | undefined;

  constructor(held: () => readonly HeldVip[], run: (held: readonly HeldVip[]) => Promise<void>) {
    this.#held = held;
    this.#run = run;
  }

  /** It closes the gates itself: whoever does so before breaks off what clients have under way. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /** Before the balancer stops. */
  all(): Promise<void> {
    this.#underWay ??= this.#run(this.#held()).finally(() => (this.#underWay = undefined));
    return this.#underWay;
  }

  /** Before a role's VIP is given up on purpose, which nothing stands in the way of. The balancer is started again by its unit. */
  async of(role: string): Promise<void> {
    if (!this.#held().some((vip) => vip.role === role && vip.isHere())) return;
    await this.all().catch((error: unknown) => log.warn(`VIP ${role}:`, error));
  }
}

/** Without it, whoever connects while the balancer stops is turned away. */
function door(address: string, port: number): { close(): void }[] {
  try {
    return [listenDeaf(address, port)];
  } catch (error) {
    log.warn("drain:", error);
    return [];
  }
}

/** To what is balanced there: a shell at the VIP may stay for hours. */
export async function isConnected({ address, ports }: Pick<HeldVip, "address" | "ports">): Promise<boolean> {
  const all = await connectionsTo(address, Number.POSITIVE_INFINITY);
  return all.some(({ local }) => ports.includes(local.port));
}

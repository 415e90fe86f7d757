import * as v from "valibot";
import type { Membership, RoleName } from "../cluster/types.ts";
import { log } from "../core/log.ts";
import { resign, type Resignation } from "../host/vrrp-resign.ts";
import type { RoleContext, VipRequest } from "../roles/types.ts";
import { product } from "../host/catalog.ts";
import { vipInstances, type VipInstance } from "../vip/instances.ts";
import { advertsOf, parseVersion } from "../vip/keepalived.ts";
import { requirePart } from "./part.ts";
import type { Vips } from "./vips.ts";

/** Whoever answers later is too late: keepalived takes the VIP by itself 0.75 s after nobody sends adverts. */
const answerMs = 300;

const askedSchema = v.object({
  role: v.pipe(v.string(), v.maxLength(32)),
  /** The asker's, in the election. */
  priority: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(254)),
});

/** What an election needs to know of this node's part in a VIP. */
export interface Candidacy extends Pick<VipInstance, "virtualRouterId" | "priority" | "source" | "address"> {
  intervalMs: number;
  /** The names of the other nodes that may have it. */
  others: readonly string[];
}

/** This node's part in a VIP. @throws ChimeError as `vipInstances` */
export function candidacyOf(context: RoleContext, request: VipRequest): Candidacy | undefined {
  const [instance] = vipInstances(context, [request]);
  if (!instance) return undefined;
  const { virtualRouterId, priority, source, address } = instance;
  const { version } = product("keepalived", context.facts.os);
  return {
    virtualRouterId,
    priority,
    source,
    address,
    intervalMs: advertsOf(parseVersion(version)).intervalMs,
    others: request.nodes.map(({ name }) => name).filter((name) => name !== context.self.name),
  };
}

/**
 * Has a VIP that no node holds taken at once. keepalived finds out by silence that there is no master, for 0.75 s, also
 * where there never was one: at the first start, after all nodes were down, or once none was eligible. Agents know it, as
 * long as each of them answers: then one says so to the candidate's keepalived, in VRRP's own words. Whoever does not
 * answer may be cut off and hold the VIP: silence decides, as ever.
 */
export class Vacancy {
  readonly #membership: Pick<Membership, "call" | "members">;
  readonly #vips: Pick<Vips, "state" | "isEligible" | "holds">;
  readonly #candidacy: (role: RoleName) => Candidacy | undefined;
  readonly #resign: (resignation: Resignation) => void;

  constructor(
    membership: Pick<Membership, "call" | "members">,
    vips: Pick<Vips, "state" | "isEligible" | "holds">,
    candidacy: (role: RoleName) => Candidacy | undefined,
    send: (resignation: Resignation) => void = resign,
  ) {
    this.#membership = membership;
    this.#vips = vips;
    this.#candidacy = candidacy;
    this.#resign = send;
  }

  /** This node's keepalived has begun to wait for silence. */
  async claim(role: RoleName): Promise<void> {
    const own = this.#candidacy(role);
    const [first] = own?.others ?? [];
    if (!own || first === undefined || !this.#waits(role)) return;
    const { priority } = own;
    const ask = (node: string, method: string) =>
      this.#membership.call(node, method, { role, priority }, answerMs).catch(() => false);
    const answers = await Promise.all(own.others.map((node) => ask(node, "vip.vacant")));
    if (answers.some((answer) => answer !== true) || !this.#waits(role)) return;
    log.info(`VIP ${role}: no node has it, ${first} is asked to say so to keepalived`);
    await ask(first, "vip.resign");
  }

  #waits(role: RoleName): boolean {
    return this.#vips.isEligible(role) && this.#vips.state(role) === "BACKUP";
  }

  /** Whether the VIP is not here, nor is to come here rather than to the asker. @throws ValiError, ChimeError `peer.stranger` */
  async isVacant(params: unknown, from: string): Promise<boolean> {
    return (await this.#without(params, from)) !== undefined;
  }

  /** The asker has heard that from all. @throws ValiError, ChimeError `peer.stranger`, `net.raw_socket` */
  async resign(params: unknown, from: string): Promise<void> {
    const own = await this.#without(params, from);
    const to = this.#membership.members().find(({ name }) => name === from)?.address;
    if (!own || to === undefined) return;
    const { virtualRouterId, intervalMs, source } = own;
    this.#resign({ virtualRouterId, intervalMs, from: source, to, address: own.address.split("/")[0] ?? "" });
  }

  /** This node's part in a VIP that is the asker's to have; undefined where it is here, or is to come here. */
  async #without(params: unknown, from: string): Promise<Candidacy | undefined> {
    const { role, priority } = v.parse(askedSchema, params);
    requirePart(this.#membership, from, role);
    const own = this.#candidacy(role);
    if (!own || this.#vips.state(role) === "MASTER") return undefined;
    if (this.#vips.isEligible(role) && own.priority > priority) return undefined;
    return (await this.#vips.holds(own.address)) ? undefined : own;
  }
}

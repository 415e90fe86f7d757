import { rm } from "node:fs/promises";
import * as v from "valibot";
import { readText, writeAtomic } from "../cluster/files.ts";
import type { MemberView, Membership, RoleName } from "../cluster/types.ts";
import type { Clock } from "../core/clock.ts";
import { refused } from "../core/errors.ts";
import type { Problem } from "../roles/guard.ts";
import { giveVipUp } from "../roles/own-server.ts";
import type { Drain } from "./drain.ts";
import type { Guards } from "./guards.ts";
import { heirsOf } from "./heirs.ts";
import type { History } from "./history.ts";
import { reportOf } from "./report.ts";
import { pairsOf, type Status } from "./status.ts";
import type { Vips } from "./vips.ts";

/** `chime-node maintenance on|off --json`. */
export interface MaintenanceResult {
  node: string;
  maintenance: boolean;
  /** ISO 8601; null where it is off. */
  since: string | null;
  /** Roles that this node wrote, or whose VIP it had, and handed over. */
  handed_over: RoleName[];
}

/** keepalived gives an address up within 0.1 s; one that hangs has it taken away after 0.4 s. */
const leftMs = 2_000;

const marker = v.object({ since: v.pipe(v.string(), v.isoTimestamp()) });

/** Whether somebody works on this node: it goes on replicating and takes over nothing. On disk, so that a reboot ends nothing. */
export class Maintenance {
  readonly #path: string;
  #since: string | null;
  #isBeginning = false;

  private constructor(path: string, since: string | null) {
    this.#path = path;
    this.#since = since;
  }

  /** A marker that is there and cannot be read still says that it is on. */
  static async load(path: string): Promise<Maintenance> {
    const text = await readText(path);
    if (text === undefined) return new Maintenance(path, null);
    try {
      return new Maintenance(path, v.parse(marker, JSON.parse(text)).since);
    } catch {
      return new Maintenance(path, new Date(0).toISOString());
    }
  }

  /** ISO 8601; null: nobody works here. */
  get since(): string | null {
    return this.#since;
  }

  /** Whether this node is to take over nothing: also while it begins, or what was given up for it would come back. */
  get isOn(): boolean {
    return this.#isBeginning || this.#since !== null;
  }

  /**
   * Is said to others, and outlives the agent, only once it is on disk. Where either fails, nobody works here.
   * @param giveUp what is done before
   */
  async begin(since: string, giveUp: () => Promise<void>): Promise<void> {
    this.#isBeginning = true;
    try {
      await giveUp();
      await writeAtomic(this.#path, `${JSON.stringify({ since })}\n`, 0o600);
      this.#since = since;
    } finally {
      this.#isBeginning = false;
    }
  }

  async end(): Promise<void> {
    await rm(this.#path, { force: true });
    this.#since = null;
  }

  problems(node: string): Problem[] {
    if (this.#since === null) return [];
    return [
      {
        code: "maintenance",
        severity: "warning",
        node,
        message: `${node} is in maintenance since ${this.#since} and takes over nothing`,
        remedy: `when the work is done: chime-node maintenance off on ${node}`,
      },
    ];
  }
}

/**
 * An operator's word names no writer on a node that somebody works on.
 * @throws ChimeError `VERB.in_maintenance` (exit 3)
 */
export function refuseInMaintenance(verb: string, member: MemberView | undefined): void {
  if (!member || reportOf(member).maintenance === null) return;
  throw refused(
    `${verb}.in_maintenance`,
    `${member.name} is in maintenance and takes over nothing`,
    `chime-node maintenance off on ${member.name}`,
  );
}

interface Deps {
  membership: Pick<Membership, "self" | "members">;
  guards: Guards;
  maintenance: Maintenance;
  history: Pick<History, "record">;
  clock: Pick<Clock, "wall" | "now" | "sleep">;
  vips: Pick<Vips, "isHere" | "setEligible">;
  balancer: Pick<Drain, "of">;
  status: () => Status;
}

/**
 * Hands over what this node writes; from then on it is eligible for nothing.
 * @param accept go on also where a role would have nobody left: its writes stop
 * @throws ChimeError `maintenance.nobody_left` (exit 3), and what the handover says
 */
export async function beginMaintenance(deps: Deps, accept: boolean): Promise<MaintenanceResult> {
  const { membership, guards, maintenance, history, clock, vips } = deps;
  const { name } = membership.self;
  if (maintenance.since !== null) return result(deps, []);
  const left = without(name, deps);
  // Of a role whose nodes serve together the VIP alone moves.
  const held = membership.self.roles.filter(
    (role) => vips.isHere(role) && !left.some((pair) => pair.role === role),
  );
  const lonely = [
    ...left.filter(({ heir }) => heir === undefined).map(({ role }) => role),
    ...held.filter((role) => heirsOf(membership.self, membership.members(), role).length === 0),
  ];
  if (lonely.length > 0 && !accept) {
    throw refused(
      "maintenance.nobody_left",
      `without ${name} no node could serve ${lonely.join(", ")}: it would stop until maintenance is off again`,
      "wait until chime-node status shows the other node level; or accept the outage: chime-node maintenance on --yes",
    );
  }
  const writes = left.filter((pair) => pair.writes && !lonely.includes(pair.role)).map(({ role }) => role);
  for (const role of writes) await guards.need(role).command("handover", {});
  await maintenance.begin(new Date(clock.wall()).toISOString(), async () => {
    for (const role of held) await deps.balancer.of(role);
  });
  await giveUp(held, deps);
  const handedOver = [...writes, ...held.filter((role) => !lonely.includes(role))];
  const after = handedOver.length > 0 ? `, after it handed over ${handedOver.join(", ")}` : "";
  history.record({ kind: "maintenance", message: `${name} is in maintenance${after}` });
  return result(deps, handedOver);
}

/** Whoever stops a server next does so without clients. */
async function giveUp(roles: readonly RoleName[], { vips, clock, balancer }: Deps): Promise<void> {
  const each = roles.map((role) => {
    const setEligible = (eligible: boolean) => vips.setEligible(role, eligible);
    const deps = { clock, setEligible, hasVip: () => vips.isHere(role), drain: () => balancer.of(role) };
    return giveVipUp(deps, undefined, leftMs);
  });
  await Promise.all(each);
}

export async function endMaintenance(deps: Deps): Promise<MaintenanceResult> {
  const { membership, maintenance, history } = deps;
  if (maintenance.since !== null) {
    await maintenance.end();
    history.record({ kind: "maintenance", message: `${membership.self.name} is back from maintenance` });
  }
  return result(deps, []);
}

function result({ membership, maintenance }: Deps, handedOver: RoleName[]): MaintenanceResult {
  const { since } = maintenance;
  return { node: membership.self.name, maintenance: since !== null, since, handed_over: handedOver };
}

/** For each role of `name` that has a writer: whether that is `name`, and who else writes or could at once. */
function without(name: string, { membership, status }: Deps) {
  const free = membership
    .members()
    .filter((member) => member.state === "alive" && reportOf(member).maintenance === null)
    .map((member) => member.name);
  return [...pairsOf(status())]
    .filter(([role]) => membership.self.roles.includes(role))
    .map(([role, { nodes }]) => {
      const isProtected = nodes.some((node) => node.state === "writer" && node.protected);
      const heir = nodes
        .filter((node) => node.name !== name && free.includes(node.name))
        .find(
          (node) => node.state === "writer" || (node.state === "replica" && node.replicating && isProtected),
        );
      return { role, heir, writes: nodes.some((node) => node.name === name && node.state === "writer") };
    });
}

import type { Clock } from "../core/clock.ts";
import { failed } from "../core/errors.ts";
import { log } from "../core/log.ts";
import type { Membership, RoleName } from "../cluster/types.ts";
import type { AskGateway } from "../cluster/vote/gateway.ts";
import type { Voter } from "../cluster/vote/voter.ts";
import type { Role, RoleContext } from "../roles/types.ts";
import type { Happening } from "../roles/happening.ts";
import type { Guard, Problem } from "../roles/guard.ts";
import type { SecretChanges } from "./secret-changes.ts";
import { isGuarded } from "../roles/of-role.ts";
import type { Drain } from "./drain.ts";
import { heirsOf } from "./heirs.ts";
import type { Vips } from "./vips.ts";

/** The guards that run on this node: one a role whose service is configured here. */
export class Guards {
  readonly #running = new Map<RoleName, Guard>();
  /** Their services run here, though they are not configured in all. */
  readonly #early = new Set<RoleName>();
  readonly #deps: GuardSetDeps;

  constructor(deps: GuardSetDeps) {
    this.#deps = deps;
  }

  /** Starts the guards that this node's phases call for. Called at agent start and after each phase change. */
  async align(): Promise<void> {
    const { membership, roles } = this.#deps;
    for (const role of roles) {
      const { roles: mine, phase } = membership.self;
      const wanted = mine.includes(role.name) && (isGuarded(phase[role.name]) || this.#early.has(role.name));
      if (!wanted || isGuarded(phase[role.name])) this.#early.delete(role.name);
      if (wanted && !this.#running.has(role.name)) await this.#start(role);
      if (!wanted) await this.#stop(role.name);
    }
  }

  /**
   * Its service runs here before everything else of the role is configured: it is watched from now on, and no VIP comes
   * here yet. An agent that is restarted meanwhile has its guard begin at `configured`.
   */
  async serve(name: RoleName): Promise<void> {
    this.#early.add(name);
    await this.align();
  }

  async #start(role: Role): Promise<void> {
    if (!role.guard) return;
    const { clock, membership, context, vips, claimVip, publish, record } = this.#deps;
    const { inMaintenance, askGateway, voters, secrets, balancer } = this.#deps;
    const voter = voters.get(role.name);
    if (!voter) throw new Error(`nobody votes for ${role.name}`);
    const guard = role.guard({
      clock,
      membership,
      context,
      setEligible: (eligible) => vips.setEligible(role.name, eligible),
      vip: () => vips.state(role.name),
      hasVip: () => vips.isHere(role.name),
      drain: () => balancer.of(role.name),
      isDraining: () => balancer.isUnderWay,
      heirs: () => heirsOf(membership.self, membership.members(), role.name),
      claimVip: () => claimVip(role.name),
      publish: (state) => publish(role.name, state),
      secret: (name) => secrets.of(role.name, name),
      takeSecret: (name) => secrets.take(role.name, name),
      useSecret: (name) => secrets.use(role.name, name),
      proveSecret: (name) => secrets.prove(role.name, name),
      retireSecret: (name) => secrets.retire(role.name, name),
      inMaintenance,
      record: (happening) => record({ role: role.name, ...happening }),
      askGateway,
      voter,
    });
    this.#running.set(role.name, guard);
    await guard.start();
    log.info(`guarding ${role.name}`);
  }

  async #stop(name: RoleName): Promise<void> {
    const guard = this.#running.get(name);
    if (!guard) return;
    this.#running.delete(name);
    await guard.stop();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.#stop(name)));
  }

  get(name: RoleName): Guard | undefined {
    return this.#running.get(name);
  }

  /** @throws ChimeError `role.not_here` */
  need(name: RoleName): Guard {
    const guard = this.#running.get(name);
    if (!guard) throw failed("role.not_here", `${name} is not running on this node`, "chime-node status");
    return guard;
  }

  problems(): Problem[] {
    return [...this.#running.values()].flatMap((guard) => guard.problems());
  }
}

export interface GuardSetDeps {
  clock: Clock;
  membership: Membership;
  roles: readonly Role[];
  context: () => RoleContext;
  vips: Vips;
  balancer: Pick<Drain, "of" | "isUnderWay">;
  claimVip: (role: RoleName) => void;
  publish: (role: RoleName, state: unknown) => Promise<void>;
  record: (happening: Happening) => void;
  inMaintenance: () => boolean;
  secrets: Pick<SecretChanges, "of" | "take" | "use" | "prove" | "retire">;
  askGateway: AskGateway;
  voters: ReadonlyMap<RoleName, Voter>;
}

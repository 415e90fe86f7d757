import type { RoleName } from "../cluster/types.ts";
import type { Resource } from "../resources/types.ts";

interface Planned {
  name: RoleName;
  /** Its own, without its address and balancer. */
  plan: Record<"installed" | "configured", readonly Pick<Resource, "id">[]>;
}

/**
 * A role that has nothing of its own left to configure once it is installed has its guard from that moment on, whatever
 * is still being installed beside it: its service runs, and its server need not stand there without being set up.
 */
export class EarlyGuards {
  readonly #left: Map<RoleName, Set<string>>;
  readonly #serve: (role: RoleName) => Promise<unknown>;
  readonly #calls: Promise<unknown>[] = [];

  constructor(planned: readonly Planned[], serve: (role: RoleName) => Promise<unknown>) {
    const whole = planned.filter(({ plan }) => plan.installed.length > 0 && plan.configured.length === 0);
    this.#left = new Map(whole.map(({ name, plan }) => [name, new Set(plan.installed.map(({ id }) => id))]));
    this.#serve = serve;
  }

  /** To be told of each resource that is as desired. */
  done(id: string): void {
    for (const [role, ids] of this.#left) {
      // What goes wrong is no matter: with the phase `configured` it begins in any case.
      if (ids.delete(id) && ids.size === 0) this.#calls.push(this.#serve(role).catch(() => undefined));
    }
  }

  /** Resolves when all have been asked for. */
  async called(): Promise<void> {
    await Promise.all(this.#calls);
  }
}

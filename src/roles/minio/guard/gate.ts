import { haproxy } from "../../../vip/balancer/haproxy.ts";
import { KnownView } from "../../../vip/balancer/known-view.ts";
import { serves, type Balancer, type BackendView } from "../../../vip/balancer/types.ts";
import type { GuardDeps } from "../../guard.ts";
import { serviceNames } from "../balanced.ts";
import { minioSpec, roleName } from "../layout.ts";
import { quorumOf } from "../quorum.ts";
import { isForming } from "../together.ts";
import { admissible, attachedBy, Readmission } from "./readmission.ts";

type Deps = Pick<
  GuardDeps,
  "clock" | "context" | "membership" | "setEligible" | "isDraining" | "inMaintenance"
>;

/** The console is the same servers'. */
const admitted: ReadonlySet<string> = new Set(Object.values(serviceNames));

/** What of the guard keeps the VIP away, or where it is. */
interface Intent {
  /** It is given up for good. */
  isLeaving(): boolean;
  /** Requests wait in this node's balancer: nothing is to be moved. */
  isHeld(): boolean;
}

/** The VIP belongs where a balancer finds a server that objects can be read from: that need not be this node's. */
export class Gate {
  readonly #deps: Deps;
  readonly #intent: Intent;
  readonly #balancer: Pick<Balancer, "view" | "admit">;
  readonly #view: KnownView;
  readonly #readmission: Readmission;
  #balanced = false;

  constructor(deps: Deps, intent: Intent, balancer: Pick<Balancer, "view" | "admit"> = haproxy) {
    this.#deps = deps;
    this.#intent = intent;
    this.#balancer = balancer;
    this.#view = new KnownView(balancer, deps.clock);
    this.#readmission = new Readmission(deps.clock);
  }

  /** This node's balancer finds a server that can be read from. */
  get balanced(): boolean {
    return this.#balanced;
  }

  /** To be called often: opens or closes the node's way to the VIP, and has the balancer use servers that are back. */
  async look(): Promise<void> {
    const { view, isFresh } = await this.#view.look();
    this.#balanced = serves(view, roleName, "read");
    if (!this.#intent.isHeld() && !this.#deps.isDraining()) this.#deps.setEligible(this.#isOpen());
    if (isFresh) await this.#admit(view);
  }

  #isOpen(): boolean {
    return this.#balanced && !this.#intent.isLeaving() && !this.#deps.inMaintenance();
  }

  /** Lets servers have clients again that have found all drives: of one set a single object tells that, of several not. */
  async #admit(view: readonly BackendView[]): Promise<void> {
    const { nodes: count, disksPerNode } = minioSpec(this.#deps.context());
    if (quorumOf({ nodes: count, drivesPerNode: disksPerNode }).sets > 1) return;
    const own = view.filter(({ service }) => admitted.has(service));
    const members = this.#deps.membership.members();
    const attached = attachedBy(members);
    const due = isForming(members) ? admissible(own, attached) : this.#readmission.due(own, attached);
    for (const backend of due) await this.#balancer.admit(backend);
  }
}

import { ChimeError, errorJson } from "../core/errors.ts";
import { agentHolder, withLock } from "../core/lock.ts";
import { log } from "../core/log.ts";
import { tellUnits } from "../host/systemd.ts";
import { openLedger } from "../plan/ledger.ts";
import { apply, plan, type PlannedChange } from "../plan/run.ts";
import type { Resource } from "../resources/types.ts";
import type { Problem } from "../roles/guard.ts";

/**
 * What the agent may do unasked: only what a newer spec or membership implies, and only what restarts and
 * destroys nothing. Everything else waits for an operator's `apply`.
 */
export function mayReconcile(change: Pick<PlannedChange, "cause" | "impact">): boolean {
  return change.cause === "spec" && (change.impact === "none" || change.impact === "reload");
}

/**
 * What only an operator's `apply` does, as `status` tells it. Pure.
 * @param wasMade whether a resource was in its desired state once: what was not is being made by a join
 */
export function leftToApply(
  node: string,
  changes: readonly Pick<PlannedChange, "resource" | "cause" | "impact">[],
  wasMade: (resource: string) => boolean,
): Problem[] {
  const byHand = changes.filter(({ cause }) => cause === "drift").map(({ resource }) => resource);
  const bySpec = changes
    .filter((change) => change.cause === "spec" && !mayReconcile(change) && wasMade(change.resource))
    .map(({ resource, impact }) => `${resource} (${impact})`);
  const problem = (code: string, what: string, names: readonly string[], does: string): Problem[] =>
    names.length === 0
      ? []
      : [
          {
            code,
            severity: "warning",
            node,
            message: `${what}: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", …" : ""}`,
            remedy: `chime-node plan shows it, chime-node apply ${does}`,
          },
        ];
  const isBehind = `what the cluster asks of ${node} is not done there yet, since it interrupts or deletes`;
  return [
    ...problem("drift", `changed by hand on ${node}`, byHand, "puts it back"),
    ...problem("spec.not_applied", isBehind, bySpec, `on ${node} makes it so`),
  ];
}

/** Changes of the membership come in bursts; one look after a burst is enough. */
const settleMs = 300;
/** After a run that failed or found the lock held. */
const retryMs = 2_000;

/** Certificates age without anybody telling, and vendors extend the life of their keys. */
const dailyMs = 86_400_000;

/** What the reconciler keeps in shape. */
export interface Reconciled {
  /** All up to that phase. */
  resources(phase: "configured" | "ready"): Resource[];
  /** Called when all that may be done unasked is done. */
  done(): Promise<void>;
}

export class Reconciler {
  readonly #deps: Reconciled;
  readonly #node: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #failure: Problem | undefined;
  readonly #abort = new AbortController();

  constructor(node: string, deps: Reconciled) {
    this.#node = node;
    this.#deps = deps;
  }

  /** Looks soon; calls before then are one. */
  kick(delayMs: number = settleMs): void {
    if (this.#abort.signal.aborted) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#running = this.#run().finally(() => (this.#running = undefined));
    }, delayMs);
  }

  /**
   * Does at once, and waited for, what may be done unasked without the services being asked for anything.
   * @throws ChimeError `lock.held`, and of the resources
   */
  async configure(): Promise<void> {
    await this.#running;
    await this.#reconcile("configured");
  }

  #reconcile(phase: "configured" | "ready"): Promise<void> {
    return withLock("apply", agentHolder, async () => {
      const resources = this.#deps.resources(phase);
      const ledger = await openLedger();
      const wanted = (await plan(resources, ledger)).filter(mayReconcile);
      if (wanted.length > 0) {
        const outcome = await apply(resources, ledger, {
          signal: this.#abort.signal,
          progress: (line) => log.info(`reconcile: ${line}`),
          only: new Set(wanted.map((change) => change.resource)),
        });
        tellUnits();
        if (outcome.failed[0]) throw outcome.failed[0].error;
      }
      if (phase === "ready") await this.#deps.done();
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    try {
      await this.#reconcile("ready");
      this.#failure = undefined;
      // Whatever is told meanwhile comes first.
      if (this.#timer === undefined) this.kick(dailyMs);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof ChimeError && error.code === "lock.held")) {
        const { code, message } = errorJson(error);
        log.error(`reconcile failed: ${message}`);
        this.#failure = {
          code: "reconcile.failed",
          severity: "error",
          node: this.#node,
          message: `${code}: ${message}`,
          remedy: "chime-node plan, then chime-node apply",
        };
      }
      this.kick(retryMs);
    }
  }

  /** What differs on this host and is left to `apply`: by hand, and by a newer spec; looks afresh. Never fails: `status` must not. */
  async drift(): Promise<Problem[]> {
    try {
      const ledger = await openLedger();
      const found = await plan(this.#deps.resources("ready"), ledger);
      return leftToApply(this.#node, found, (id) => ledger.reached(id) !== undefined);
    } catch (error) {
      // A server that dies while its accounts are looked at.
      const { code, message } = errorJson(error);
      return [
        {
          code: "drift.unknown",
          severity: "warning",
          node: this.#node,
          message: `${this.#node} cannot be compared with what it should be: ${code}: ${message}`,
          remedy: "chime-node plan",
        },
      ];
    }
  }

  problems(): Problem[] {
    return this.#failure ? [this.#failure] : [];
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#abort.abort();
    await this.#running;
  }
}

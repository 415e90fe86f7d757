import { ChimeError, Exit, failed, toChimeError, whyAborted } from "../core/errors.ts";
import type {
  Action,
  ApplyContext,
  Cause,
  Change,
  Failures,
  Impact,
  InspectContext,
  Resource,
} from "../resources/types.ts";
import type { Ledger } from "./ledger.ts";
import { order } from "./order.ts";

export interface PlannedChange {
  resource: string;
  action: Action;
  impact: Impact;
  diff: string;
  cause: Cause;
}

export interface Failure {
  resource: string;
  /** Its message begins with the resource's id. */
  error: ChimeError;
}

export interface Outcome {
  /** Everything that was to be changed, in plan order. */
  changes: PlannedChange[];
  /** Ids of the resources that were changed. */
  applied: string[];
  failed: Failure[];
  /** Ids of the resources that were not tried because one that they need failed. */
  blocked: string[];
  seconds: number;
}

export interface ApplyOptions {
  signal: AbortSignal;
  /** What can still be taken for not begun is given up then, and fails. */
  giveUp?: AbortSignal | undefined;
  /** What is being done or awaited right now, and for which resource. */
  progress(line: string, resource: string): void;
  /** Called with the id of each resource that is as desired, as soon as it is. */
  done?: ((resource: string) => void) | undefined;
  /** Asks the guard of a role on this node. Default: there is none. */
  ask?: ApplyContext["ask"];
  /**
   * What the same run has reached before, by id, and what it reaches now: not looked at again, unless something else is
   * desired of it by now.
   */
  made?: Map<string, string>;
  /** Ids that another run of this process is at work on, each with its end: what fails there fails here. */
  underWay?: ReadonlyMap<string, Promise<void>> | undefined;
  /** Ids that may be changed; what needs one that is left alone goes on as if it were done. Default: all. */
  only?: ReadonlySet<string>;
}

/** What apply would do now. Only looks. */
export async function plan(resources: readonly Resource[], ledger: Ledger): Promise<PlannedChange[]> {
  const pending = new Set<string>();
  const found = new Map<string, PlannedChange>();
  const context: InspectContext = { ledger, pending: (id) => pending.has(id) };
  await walk(resources, async (resource) => {
    const change = await inspect(resource, context);
    if (!change) return;
    pending.add(resource.id);
    const planned = describe(resource, change, ledger);
    found.set(resource.id, { ...planned, diff: planned.diff + ((await change.more?.()) ?? "") });
  });
  return inOrder(resources, found);
}

/**
 * The only gate to the host (law 1): looks at each resource afresh when all it needs is done, then changes it.
 * Independent resources go side by side. A failure stops what depends on it; the rest is finished.
 * @throws what `whyAborted` says when interrupted; failures of resources are in `failed`
 */
export async function apply(
  resources: readonly Resource[],
  ledger: Ledger,
  options: ApplyOptions,
): Promise<Outcome> {
  const started = performance.now();
  const found = new Map<string, PlannedChange>();
  const errors = new Map<string, ChimeError>();
  const blocked = new Set<string>();
  const lanes = new Map<string, Lane>();
  const applied = new Set<string>();

  const visit = async (resource: Resource): Promise<void> => {
    if (resource.needs.some((need) => errors.has(need) || blocked.has(need))) {
      blocked.add(resource.id);
      return;
    }
    options.signal.throwIfAborted();
    let leftAlone = false;
    const look = async (): Promise<Job | undefined> => {
      const change = await inspect(resource, { ledger, pending: () => false });
      leftAlone = change !== undefined && options.only?.has(resource.id) === false;
      if (!change || leftAlone) return undefined;
      const planned = describe(resource, change, ledger);
      found.set(resource.id, planned);
      const context: ApplyContext = {
        ledger,
        signal: options.signal,
        giveUp: options.giveUp,
        progress: (line) => options.progress(line, resource.id),
        ask: options.ask ?? askNobody,
      };
      context.progress(`${planned.action} ${resource.id}`);
      return { change, context };
    };
    try {
      await options.underWay?.get(resource.id);
      if (options.made?.get(resource.id) === resource.desired) {
        options.done?.(resource.id);
        return;
      }
      if (resource.lane) await gather(laneOf(lanes, resource.lane), look);
      else {
        const job = await look();
        await job?.change.apply(job.context);
      }
      if (leftAlone) return;
      if (found.has(resource.id)) applied.add(resource.id);
      await ledger.done(resource.id, resource.desired);
      options.made?.set(resource.id, resource.desired);
      options.done?.(resource.id);
    } catch (error) {
      if (options.signal.aborted) throw whyAborted(error, options.signal);
      errors.set(resource.id, named(resource.id, error));
    }
  };
  await walk(resources, visit, options.signal);

  const ids = order(resources).map((resource) => resource.id);
  // Exit 2 and 3 promise that nothing was touched; what failed otherwise had begun.
  const isTouched = applied.size > 0 || [...errors.values()].some((error) => !promises(error));
  return {
    changes: inOrder(resources, found),
    applied: ids.filter((id) => applied.has(id)),
    failed: ids.flatMap((resource) => {
      const error = errors.get(resource);
      return error ? [{ resource, error: isTouched ? touched(error) : error }] : [];
    }),
    blocked: ids.filter((id) => blocked.has(id)),
    seconds: Math.round(performance.now() - started) / 1000,
  };
}

/** Visits every resource as soon as all it needs were visited, independent ones side by side. */
async function walk(
  resources: readonly Resource[],
  visit: (resource: Resource) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const visits = new Map<string, Promise<void>>();
  for (const resource of order(resources)) {
    const needed = resource.needs.map((need) => visits.get(need) ?? Promise.resolve());
    visits.set(
      resource.id,
      Promise.all(needed).then(() => visit(resource)),
    );
  }
  const results = await Promise.allSettled(visits.values());
  const reasons = results.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : [],
  );
  // Interrupted, all end, and one may say more than that.
  if (reasons.length > 0) throw reasons.find((reason) => reason !== signal?.reason) ?? reasons[0];
}

async function inspect(resource: Resource, context: InspectContext): Promise<Change | undefined> {
  return resource.inspect(context);
}

function describe(resource: Resource, change: Change, ledger: Ledger): PlannedChange {
  return {
    resource: resource.id,
    action: change.action,
    impact: change.impact,
    diff: change.diff,
    cause: change.cause ?? (ledger.reached(resource.id) === resource.desired ? "drift" : "spec"),
  };
}

function inOrder(resources: readonly Resource[], found: ReadonlyMap<string, PlannedChange>): PlannedChange[] {
  return order(resources).flatMap((resource) => found.get(resource.id) ?? []);
}

interface Job {
  change: Change;
  context: ApplyContext;
}
interface Lane {
  waiting: { job: Job; resolve: () => void; reject: (error: unknown) => void }[];
  busy: boolean;
  /** How many look at the host and may still bring a job. */
  looking: number;
}

function laneOf(lanes: Map<string, Lane>, name: string): Lane {
  const lane = lanes.get(name) ?? { waiting: [], busy: false, looking: 0 };
  lanes.set(name, lane);
  return lane;
}

/** Looks at the host on behalf of a lane: what became ready in the same breath goes together, however long each looks. */
async function gather(lane: Lane, look: () => Promise<Job | undefined>): Promise<void> {
  lane.looking += 1;
  let done: Promise<void> | undefined;
  try {
    const job = await look();
    if (job) done = new Promise((resolve, reject) => lane.waiting.push({ job, resolve, reject }));
  } finally {
    lane.looking -= 1;
    if (!lane.busy) void drain(lane);
  }
  await done;
}

/** Applies the jobs that wait, in one act where the kind can. */
async function drain(lane: Lane): Promise<void> {
  lane.busy = true;
  while (lane.waiting.length > 0 && lane.looking === 0) {
    const [first, ...rest] = lane.waiting.splice(0);
    if (!first) break;
    const batches = first.job.change.together
      ? [[first, ...rest]]
      : [first, ...rest].map((waiter) => [waiter]);
    for (const batch of batches) {
      const [{ job }] = batch as [(typeof batch)[0]];
      const others = batch.slice(1).map((waiter) => waiter.job.change);
      try {
        let failures: Failures = new Map();
        if (others.length > 0 && job.change.together)
          failures = await job.change.together(others, job.context);
        else await job.change.apply(job.context);
        for (const { job, resolve, reject } of batch) {
          if (failures.has(job.change)) reject(failures.get(job.change));
          else resolve();
        }
      } catch (error) {
        for (const waiter of batch) waiter.reject(error);
      }
    }
  }
  lane.busy = false;
}

function askNobody(role: string): Promise<never> {
  return Promise.reject(failed("role.not_here", `${role} is not running on this node`));
}

function named(id: string, error: unknown): ChimeError {
  const e = toChimeError(error);
  return new ChimeError(e.exit, e.code, `${id}: ${e.message}`, {
    node: e.node,
    remedy: e.remedy,
    cause: error,
  });
}

/** Whether it says that nothing was touched. */
function promises({ exit }: ChimeError): boolean {
  return exit === Exit.usage || exit === Exit.refused;
}

function touched(error: ChimeError): ChimeError {
  if (!promises(error)) return error;
  return new ChimeError(Exit.failed, error.code, error.message, {
    node: error.node,
    remedy: error.remedy,
    cause: error.cause,
  });
}
